// A queue that runs at most `limit` jobs at a time, and retries those that fail.
import { EventEmitter } from 'node:events';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class JobQueue extends EventEmitter {
  #running = 0;
  #waiting = [];

  constructor({ limit = 4, retries = 3, baseDelay = 250 } = {}) {
    super();
    Object.assign(this, { limit, retries, baseDelay });
  }

  push(job, options = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject, priority: options.priority ?? 0, attempt: 0 });
      this.#waiting.sort((a, b) => b.priority - a.priority);
      queueMicrotask(() => this.#next());
    });
  }

  get size() {
    return this.#waiting.length + this.#running;
  }

  async #next() {
    if (this.#running >= this.limit || this.#waiting.length === 0) return;
    const entry = this.#waiting.shift();
    this.#running += 1;
    try {
      const result = await entry.job({ attempt: entry.attempt });
      entry.resolve(result);
      this.emit('done', { result, attempt: entry.attempt });
    } catch (error) {
      if (entry.attempt < this.retries && !error.fatal) {
        entry.attempt += 1;
        const delay = this.baseDelay * 2 ** (entry.attempt - 1) * (0.5 + Math.random());
        this.emit('retry', { error, delay: Math.round(delay) });
        sleep(delay).then(() => {
          this.#waiting.unshift(entry);
          this.#next();
        });
      } else {
        entry.reject(error);
      }
    } finally {
      this.#running -= 1;
      if (this.size === 0) this.emit('idle');
      else this.#next();
    }
  }
}

export const mapLimit = async (items, limit, fn) => {
  const queue = new JobQueue({ limit, retries: 0 });
  return Promise.all([...items].map((item, index) => queue.push(() => fn(item, index))));
};
