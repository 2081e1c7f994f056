// The official openai client for Node.

"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const OpenAI = require("openai");

const { toFile } = OpenAI;

// The test runner sets the address of the router or, with DIRECT, of a demo backend.
const { BASE_URL, DIRECT } = process.env;
const router = { skip: DIRECT ? "needs the router" : false };

const CLIENT_KEY = "the-clients-own-key";
const GREETING = 'Hello from demo backend "openai".';
const PNG = Buffer.from("89504e470d0a1a0a", "hex");
const messages = [{ role: "user", content: "Hello" }];
const schema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};

// The client does not retry, so that a test sees the router's own answers.
const client = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: CLIENT_KEY, maxRetries: 0, timeout: 30_000 });

/** Checks the object `demo` of an answer: the request was rewritten for its backend and has only its key. */
function assertReached(demo, { path, model, method = "POST" }) {
  assert.equal(demo.backend, "openai");
  assert.equal(demo.method, method);
  if (DIRECT) return;
  assert.equal(demo.path, path);
  assert.equal(demo.host, "api.openai.example");
  assert.equal(demo.model, model);
  const keys = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"];
  assert.deepEqual(
    demo.headers.filter(([name]) => keys.includes(name)),
    [["authorization", "Bearer demo-key-openai-not-a-secret"]],
  );
  assert.ok(!JSON.stringify(demo).includes(CLIENT_KEY));
}

async function collected(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

test("chat", async () => {
  for (const model of ["gpt-5.5", "smart"]) {
    const answer = await client.chat.completions.create({ model, messages });
    assert.ok(answer.choices[0].message.content.startsWith(GREETING));
    assertReached(answer.demo, { path: "/v1/chat/completions", model: "gpt-5.5" });
  }
});

test("many chats at once", async () => {
  const asked = Array.from({ length: 8 }, () => client.chat.completions.create({ model: "smart", messages }));
  for (const answer of await Promise.all(asked)) {
    assertReached(answer.demo, { path: "/v1/chat/completions", model: "gpt-5.5" });
  }
});

test("streaming", async () => {
  const options = { include_usage: true };
  const stream = await client.chat.completions.create({
    model: "smart",
    messages,
    stream: true,
    stream_options: options,
  });
  const chunks = await collected(stream);
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  assert.ok(text.startsWith(GREETING));
  assert.ok(chunks.at(-1).usage.completion_tokens > 0);
});

test("the helper for streams", async () => {
  const stream = client.chat.completions.stream({ model: "smart", messages });
  const deltas = [];
  stream.on("content", (delta) => deltas.push(delta));
  const answer = await stream.finalChatCompletion();
  assert.ok(deltas.length > 5);
  assert.equal(deltas.join(""), answer.choices[0].message.content);
});

test("a stream that is aborted", async () => {
  // The complete stream would take longer than ten seconds.
  const stream = await client.chat.completions.create({ model: "slow-words-1000", messages, stream: true });
  const begun = Date.now();
  let chunks = 0;
  for await (const _ of stream) {
    chunks += 1;
    if (chunks === 2) stream.controller.abort();
  }
  assert.equal(chunks, 2);
  assert.ok(Date.now() - begun < 10_000);
  const answer = await client.chat.completions.create({ model: "gpt-5.5", messages });
  assert.ok(answer.choices[0].message.content.startsWith(GREETING));
});

test("a request that is aborted", async () => {
  const abort = new AbortController();
  const asked = client.chat.completions.create({ model: "slow-headers-20000", messages }, { signal: abort.signal });
  setTimeout(() => abort.abort(), 100);
  await assert.rejects(asked, OpenAI.APIUserAbortError);
});

test("a tool that the client runs", async () => {
  const asked = [];
  const weather = {
    type: "function",
    function: {
      name: "weather",
      description: "The weather in a city",
      parameters: schema,
      parse: JSON.parse,
      function: ({ city }) => {
        asked.push(city);
        return "sunny";
      },
    },
  };
  const runner = client.chat.completions.runTools({ model: "smart", messages, tools: [weather] });
  assert.ok((await runner.finalContent()).startsWith(GREETING));
  assert.deepEqual(asked, ["demo"]);
});

test("responses", async () => {
  const answer = await client.responses.create({ model: "smart", input: "Hello" });
  assert.ok(answer.output_text.startsWith(GREETING));
  assertReached(answer.demo, { path: "/v1/responses", model: "gpt-5.5" });
});

test("responses streamed", async () => {
  const stream = client.responses.stream({ model: "smart", input: "Hello" });
  const events = await collected(stream);
  assert.deepEqual(
    events.map((event) => event.sequence_number),
    events.map((_, index) => index),
  );
  const deltas = events.filter((event) => event.type === "response.output_text.delta");
  const answer = await stream.finalResponse();
  assert.equal(deltas.map((event) => event.delta).join(""), answer.output_text);
});

test("structured output", async () => {
  const answer = await client.responses.parse({
    model: "smart",
    input: "Hello",
    text: { format: { type: "json_schema", name: "weather", schema, strict: true } },
  });
  assert.deepEqual(answer.output_parsed, { city: "demo" });
});

test("stored responses", async () => {
  const { id } = await client.responses.create({ model: "gpt-5.5", input: "Hello" });
  const found = await client.responses.retrieve(id);
  assertReached(found.demo, { method: "GET", path: `/v1/responses/${id}`, model: null });
  await client.responses.delete(id);
  await assert.rejects(client.responses.retrieve(id), OpenAI.NotFoundError);
});

test("embeddings", async () => {
  for (const encoding_format of [undefined, "float"]) {
    const answer = await client.embeddings.create({
      model: "text-embedding-3-small",
      input: ["one", "two"],
      dimensions: 2,
      encoding_format,
    });
    const vectors = answer.data.map((one) => one.embedding);
    assert.deepEqual(vectors, [
      [1, 0],
      [0, 1],
    ]);
    assertReached(answer.demo, { path: "/v1/embeddings", model: "text-embedding-3-small" });
  }
});

test("images", async () => {
  const answer = await client.images.generate({ model: "gpt-image-2", prompt: "A dot" });
  assert.deepEqual(Buffer.from(answer.data[0].b64_json, "base64").subarray(0, PNG.length), PNG);
  assertReached(answer.demo, { path: "/v1/images/generations", model: "gpt-image-2" });

  const stream = await client.images.generate({
    model: "gpt-image-2",
    prompt: "A dot",
    stream: true,
    partial_images: 1,
  });
  assert.deepEqual(
    (await collected(stream)).map((event) => event.type),
    ["image_generation.partial_image", "image_generation.completed"],
  );
});

test("an image that is edited", async () => {
  const image = await toFile(PNG, "one.png", { type: "image/png" });
  const answer = await client.images.edit({ model: "gpt-image-2", prompt: "A dot", image });
  assertReached(answer.demo, { path: "/v1/images/edits", model: "gpt-image-2" });
  assert.deepEqual(answer.demo.files, [{ name: "image", filename: "one.png", bytes: PNG.length }]);
});

test("speech", async () => {
  const answer = await client.audio.speech.create({ model: "gpt-4o-mini-tts", voice: "alloy", input: "Hello" });
  const sound = Buffer.from(await answer.arrayBuffer());
  assert.deepEqual(sound.subarray(0, 2), Buffer.from([0xff, 0xfb]));
  assertReached(JSON.parse(answer.headers.get("x-demo")), { path: "/v1/audio/speech", model: "gpt-4o-mini-tts" });
});

test("transcriptions", async () => {
  const sound = Buffer.alloc(100_000, "\r\n--");
  const file = await toFile(sound, "hello.wav");
  const answer = await client.audio.transcriptions.create({ model: "whisper-1", file });
  assert.ok(answer.text.startsWith(GREETING));
  assertReached(answer.demo, { path: "/v1/audio/transcriptions", model: "whisper-1" });
  assert.deepEqual(answer.demo.files, [{ name: "file", filename: "hello.wav", bytes: sound.length }]);

  const stream = await client.audio.transcriptions.create({ model: "whisper-1", file, stream: true });
  assert.equal((await collected(stream)).at(-1).type, "transcript.text.done");
});

test("files", async () => {
  const content = '{"custom_id": "one"}\n'.repeat(10_000);
  const file = await client.files.create({ file: await toFile(Buffer.from(content), "b.jsonl"), purpose: "batch" });
  assertReached(file.demo, { path: "/v1/files", model: null });
  assert.equal(await (await client.files.content(file.id)).text(), content);
  assert.ok((await client.files.delete(file.id)).deleted);
  await assert.rejects(client.files.retrieve(file.id), OpenAI.NotFoundError);
});

test("models", router, async () => {
  const models = (await collected(client.models.list())).map((model) => model.id);
  for (const model of ["smart", "gpt-5.5", "gemini-3-flash"]) assert.ok(models.includes(model), model);
});

test("errors of the router", router, async () => {
  const rejected = (model, kind, status, code) =>
    assert.rejects(client.chat.completions.create({ model, messages }), (error) => {
      assert.ok(error instanceof kind, error);
      assert.deepEqual([error.status, error.code], [status, code]);
      return true;
    });
  await rejected("no-such-model", OpenAI.NotFoundError, 404, "model_not_found");
  await rejected("claude-sonnet-5-5", OpenAI.BadRequestError, 400, "api_not_supported");
  await rejected("reset", OpenAI.InternalServerError, 503, "upstream_reset");
});

test("errors of a backend", async () => {
  const rejected = (model, kind) => assert.rejects(client.chat.completions.create({ model, messages }), kind);
  await rejected("status-429", OpenAI.RateLimitError);
  await rejected("status-401", OpenAI.AuthenticationError);
  await rejected("status-503", OpenAI.InternalServerError);
});

test("an error in a stream", async () => {
  const stream = await client.chat.completions.create({ model: "error-after-2", messages, stream: true });
  await assert.rejects(collected(stream), OpenAI.APIError);
});
