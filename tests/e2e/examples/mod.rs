//! Tests of the files and snippets that users copy.

use std::path::Path;

use serde_json::{Value, json};

use crate::fleet::around;
use crate::harness::config::Wrapping;
use crate::harness::envoy::Programs;
use crate::harness::{Suite, files, tls};

pub(crate) fn add(suite: &mut Suite, programs: &Programs, trusted_ca: &Path) {
    let examples = files::in_folder("envoy", "yaml");
    for file in examples.clone() {
        let name = files::name(&file);
        let (programs, ca, of) = (programs.clone(), trusted_ca.to_owned(), file.clone());
        suite.plain(&format!("examples::loads [{name}]"), move || {
            loads(&programs, &ca, &of);
        });
        let of = file.clone();
        suite.plain(
            &format!("examples::guards_its_clusters [{name}]"),
            move || {
                guards_its_clusters(&of);
            },
        );
        suite.plain(
            &format!("examples::one_limit_for_bodies [{name}]"),
            move || {
                one_limit_for_bodies(&file);
            },
        );
    }
    suite.plain("examples::there_are_some", move || {
        assert!(!examples.is_empty(), "envoy/ has no *.yaml");
    });
    let mut pages = files::in_folder("docs", "md");
    pages.push(files::root().join("README.md"));
    for page in pages {
        suite.plain(
            &format!("examples::blocks_parse [{}]", files::name(&page)),
            move || {
                blocks_parse(&page);
            },
        );
    }
    let (of, ca) = (programs.clone(), trusted_ca.to_owned());
    suite.plain("examples::adds_the_secret_of_the_page", move || {
        adds_the_secret_of_the_page(&of, &ca);
    });
    let of = programs.clone();
    suite.plain("examples::the_whole_document_is_accepted", move || {
        the_whole_document_is_accepted(&of);
    });
}

/// The file loads in the real Envoy, from the repository's root, as the README says.
fn loads(programs: &Programs, trusted_ca: &Path, file: &Path) {
    let text = files::read(file);
    let name = files::name(file).replace('/', "-");
    let (accepted, printed) = programs.validate_example(&name, &text, trusted_ca, files::root());
    assert!(accepted, "{} is refused\n{printed}", files::name(file));
}

/// The listener for operators in docs/page.md loads.
fn adds_the_secret_of_the_page(programs: &Programs, trusted_ca: &Path) {
    let docs = files::read(&files::root().join("docs/page.md"));
    let (_, block) = docs
        .split_once("<!-- example: early -->\n```yaml\n")
        .expect("the example is there");
    let (block, _) = block.split_once("```").expect("it ends");
    let example = files::read(&files::root().join("envoy/minimal.yaml"));
    let filters = "          http_filters:\n";
    let added = |block: &str| {
        let lines = block.lines().map(|line| format!("          {line}\n"));
        example.replacen(
            filters,
            &format!("{}{filters}", lines.collect::<String>()),
            1,
        )
    };
    for (name, block, is_right) in [
        ("early.yaml", block.to_owned(), true),
        // The check depends on the example: a changed one fails.
        (
            "early-wrong.yaml",
            block.replace("%ENVIRONMENT(", "%NOTHING("),
            false,
        ),
    ] {
        let text = added(&block);
        assert_ne!(text, example);
        let (accepted, printed) = programs.validate_example(name, &text, trusted_ca, files::root());
        assert_eq!(accepted, is_right, "{name}\n{printed}");
        assert_eq!(printed.contains("NOTHING"), !is_right, "{name}\n{printed}");
    }
}

/// Every cluster ejects hosts that fail, and hosts on other machines must prove their names: by default, Envoy does
/// neither.
fn guards_its_clusters(file: &Path) {
    let mut with_hosts = 0;
    for cluster in files::clusters(file) {
        let name = cluster["name"].as_str().unwrap_or_default();
        let address =
            "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/address";
        let Some(address) = cluster.pointer(address).and_then(Value::as_str) else {
            // Without a host there is nothing to eject or to verify.
            continue;
        };
        with_hosts += 1;
        assert!(
            cluster.get("outlier_detection").is_some(),
            "{name} has no outlier_detection"
        );
        match cluster.get("transport_socket") {
            None => assert_eq!(
                address, "127.0.0.1",
                "{name} is not on this machine and has no TLS"
            ),
            Some(socket) => {
                let sni = socket.pointer("/typed_config/sni").and_then(Value::as_str);
                assert_eq!(
                    sni,
                    Some(address),
                    "{name} asks for another server than it connects to"
                );
                // Apart from the names, it is what `crate::tls` tests.
                let neutral = |socket| tls::adapted(socket, "neutral.test", Path::new("ca.pem"));
                assert_eq!(
                    neutral(socket.clone()),
                    neutral(tls::verifying()),
                    "{name} verifies otherwise"
                );
            }
        }
    }
    assert!(
        with_hosts > 0,
        "{} has no cluster with a host",
        files::name(file)
    );
}

/// The document's body limit equals Envoy's.
fn one_limit_for_bodies(file: &Path) {
    let example = files::yaml(&files::read(file)).expect("the example is YAML");
    let manager = &example["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let filters = manager["http_filters"].as_array().expect("a list");
    let router = filters
        .iter()
        .find(|filter| filter["name"] == "llm_router")
        .expect("the router role");
    let document = &router["typed_config"]["config"]["configuration"]["value"];
    let limit = &document["defaults"]["max_body_bytes"];
    assert!(limit.is_u64(), "no max_body_bytes");
    let hosts = manager["route_config"]["virtual_hosts"].as_array();
    for host in hosts.expect("a list") {
        assert_eq!(&host["request_body_buffer_limit"], limit);
    }
}

/// Returns the fenced blocks: the line at which each begins, its language, and its text.
fn blocks(text: &str) -> Vec<(usize, String, String)> {
    let mut blocks = vec![];
    let mut open: Option<(usize, String, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some((index + 1, language.trim().to_owned(), String::new()));
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, _, block)), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is never closed");
    blocks
}

fn blocks_parse(page: &Path) {
    for (line, language, block) in blocks(&files::read(page)) {
        let result = match language.as_str() {
            "yaml" => files::yaml(&block).map(drop),
            "json" => serde_json::from_str::<Value>(&block)
                .map(drop)
                .map_err(|error| error.to_string()),
            _ => continue,
        };
        assert!(result.is_ok(), "{}:{line}: {result:?}", files::name(page));
    }
}

/// The filter runs a document's golden tests if the document says so, in both encodings.
fn its_tests_are_run(programs: &Programs, document: &Value) {
    for (enforced, route, is_right) in [
        (true, "smart", true),
        (true, "fast", false),
        (false, "fast", true),
    ] {
        let mut document = document.clone();
        document["tests"] = json!([{
            "name": "smart",
            "request": {"model": "smart", "body": {"temperature": 0.5, "n": 1}},
            "expect": {"route": route},
        }]);
        document["enforce_tests"] = json!(enforced);
        for wrapping in Wrapping::ALL {
            let config = around(document.clone(), &[]).wrapping(wrapping);
            let name = format!("tests-{enforced}-{route}-{}", wrapping.name());
            let file = programs.write(&name, &config.render(&programs.wasm));
            let (accepted, printed) = programs.validate(&file, &programs.directory);
            assert_eq!(accepted, is_right, "{name}\n{printed}");
            let said = "tests[0].expect.route: \"smart\": the request is routed by \"smart\"";
            assert_eq!(printed.contains(said), !is_right, "{name}\n{printed}");
        }
    }
}

fn the_whole_document_is_accepted(programs: &Programs) {
    let text = files::read(&files::root().join("docs/configuration.md"));
    let (_, section) = text
        .split_once("\n## A whole document\n")
        .expect("the section is there");
    let (_, language, block) = blocks(section)
        .into_iter()
        .next()
        .expect("the section has a block");
    assert_eq!(language, "yaml");
    let mut document = files::yaml(&block).expect("the block is YAML");
    for wrapping in Wrapping::ALL {
        let clusters = [
            ("openai", "openai"),
            ("azure-east", "azure"),
            ("anthropic", "anthropic"),
        ];
        let config = around(document.clone(), &clusters).wrapping(wrapping);
        let file = programs.write(
            &format!("whole-document-{}", wrapping.name()),
            &config.render(&programs.wasm),
        );
        let (accepted, printed) = programs.validate(&file, &programs.directory);
        assert!(accepted, "the document is refused\n{printed}");
    }
    its_tests_are_run(programs, &document);
    // The document is really checked: with one word changed, it is refused.
    document["routes"][0]["targets"][0]["backend"] = json!("nobody");
    let file = programs.write(
        "whole-document-changed",
        &around(document, &[]).render(&programs.wasm),
    );
    let (accepted, printed) = programs.validate(&file, &programs.directory);
    assert!(
        !accepted && printed.contains("routes[0].targets[0].backend"),
        "{printed}"
    );
}
