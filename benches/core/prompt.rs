//! Measures words, phrases and regular expressions in texts that contain none of them, so that all of the text is
//! read. The catastrophic expressions take other engines quadratic time or worse; here ten times the text takes ten
//! times the time.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use llm_router::prompt::{PatternSource, TextPattern};

pub(crate) const SIZES: [(&str, usize); 3] = [("1k", 1 << 10), ("30k", 30 << 10), ("1m", 1 << 20)];
pub(crate) const CATASTROPHIC_SIZES: [(&str, usize); 2] = [("10k", 10 << 10), ("1m", 1 << 20)];

pub(crate) const NAMES: [&str; 5] = [
    "words-10",
    "words-1000",
    "phrases-100",
    "regex",
    "regex-boundary",
];
pub(crate) const LANGUAGES: [(&str, &[&str]); 3] =
    [("en", &WORDS), ("ru", &RUSSIAN), ("zh", &CHINESE)];

/// Expressions, and what their texts consist of.
pub(crate) const CATASTROPHIC: [(&str, &str, &str); 5] = [
    ("nested", "(a+)+$", "a"),
    ("alternatives", "^(a|a)*b", "a"),
    ("sequence", "(x+x+)+y", "x"),
    ("gaps", ".*.*=.*z", "="),
    ("counted", "(a?){30}a{30}b", "a"),
];

/// A thousand needles with a common beginning.
pub(crate) const CATASTROPHIC_WORDS: (&str, &str) = ("words", "ab, aab, aaab, …");

pub(crate) fn run(criterion: &mut Criterion) {
    ordinary(criterion);
    catastrophic(criterion);
    compiling(criterion);
}

fn ordinary(criterion: &mut Criterion) {
    let names = |count: usize| -> Vec<String> {
        (0..count)
            .map(|at| format!("{}{at}", WORDS[at % WORDS.len()]))
            .collect()
    };
    let (few, many) = (names(10), names(1000));
    let phrases: Vec<String> = many
        .iter()
        .take(100)
        .map(|word| format!("{} the {word}", WORDS[0]))
        .collect();
    let borrowed = |texts: &'static [String]| -> Vec<&'static str> {
        texts.iter().map(String::as_str).collect()
    };
    let (few, many, phrases) = (
        borrowed(Vec::leak(few)),
        borrowed(Vec::leak(many)),
        borrowed(Vec::leak(phrases)),
    );
    let patterns = [
        words(&few),
        words(&many),
        pattern(&PatternSource {
            phrases: &phrases,
            ..PatternSource::default()
        }),
        regex(r"order-[0-9]{4,}|refund\s+now"),
        regex(r"\b(refund|chargeback)\b"),
    ];
    let mut group = criterion.benchmark_group("prompt");
    for (name, pattern) in NAMES.iter().zip(&patterns) {
        for (language, words) in LANGUAGES {
            for (size, length) in SIZES {
                let text = prose(words, length);
                assert!(!pattern.matches(&text));
                group.throughput(Throughput::Bytes(text.len() as u64));
                group.bench_function(
                    BenchmarkId::new(format!("{name}-{language}"), size),
                    |bencher| {
                        bencher.iter(|| pattern.matches(black_box(&text)));
                    },
                );
            }
        }
    }
    group.finish();
}

fn catastrophic(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("prompt-catastrophic");
    let needles: Vec<String> = (1..1000).map(|length| "a".repeat(length) + "b").collect();
    let needles: Vec<&str> = needles.iter().map(String::as_str).collect();
    let words = pattern(&PatternSource {
        words: &needles,
        whole_words: false,
        ..PatternSource::default()
    });
    let expressions = CATASTROPHIC.map(|(name, source, unit)| (name, regex(source), unit));
    for (name, pattern, unit) in expressions
        .iter()
        .chain([&(CATASTROPHIC_WORDS.0, words, "a")])
    {
        for (size, length) in CATASTROPHIC_SIZES {
            let text = unit.repeat(length) + "\n";
            assert!(!pattern.matches(&text));
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(BenchmarkId::new(*name, size), |bencher| {
                bencher.iter(|| pattern.matches(black_box(&text)));
            });
        }
    }
    group.finish();
}

/// Measures what loading a document costs for each expression.
fn compiling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("prompt-compile");
    for (name, source) in [
        ("regex", r"order-[0-9]{4,}|refund\s+now"),
        ("regex-boundary", r"\b(refund|chargeback)\b"),
        ("regex-unicode", r"\w+\s+\p{Han}+"),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| regex(black_box(source))));
    }
    group.bench_function("words-10", |bencher| {
        bencher.iter(|| words(black_box(&WORDS[..10])))
    });
    group.finish();
}

fn words(words: &[&str]) -> TextPattern {
    pattern(&PatternSource {
        words,
        ..PatternSource::default()
    })
}

fn regex(source: &str) -> TextPattern {
    pattern(&PatternSource {
        regex: Some(source),
        ..PatternSource::default()
    })
}

fn pattern(written: &PatternSource<'_>) -> TextPattern {
    TextPattern::new(written).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// Returns text of about `length` bytes in which words do not repeat in a short cycle.
fn prose(words: &[&str], length: usize) -> String {
    let mut text = String::new();
    let mut state = 1_usize;
    while text.len() < length {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
        text += words[(state >> 8) % words.len()];
        text += if state.is_multiple_of(11) { ".\n" } else { " " };
    }
    text
}

const WORDS: [&str; 24] = [
    "please",
    "explain",
    "The",
    "difference",
    "between",
    "two",
    "orders",
    "that",
    "were",
    "shipped",
    "On",
    "monday",
    "and",
    "customer",
    "service",
    "with",
    "a",
    "short",
    "example",
    "in",
    "Python",
    "because",
    "refunds",
    "matter",
];
const RUSSIAN: [&str; 12] = [
    "пожалуйста",
    "объясни",
    "Разницу",
    "между",
    "двумя",
    "заказами",
    "которые",
    "были",
    "отправлены",
    "И",
    "почему",
    "ёлка",
];
const CHINESE: [&str; 10] = [
    "请解释一下",
    "这两个订单",
    "之间的区别，",
    "为什么",
    "客户服务",
    "用一个简短的",
    "例子说明",
    "昨天发货的",
    "因为",
    "很重要。",
];
