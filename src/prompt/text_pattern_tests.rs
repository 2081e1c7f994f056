//! Tests of text patterns in many scripts.

use proptest::prelude::*;

use super::*;

fn regex(source: &str) -> Regex {
    Regex::new(source, false).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn build(written: &PatternSource<'_>) -> TextPattern {
    TextPattern::new(written).unwrap_or_else(|errors| panic!("{written:?}: {errors:?}"))
}

/// Returns a pattern of one phrase. A phrase may be a single word.
fn phrase(text: &str) -> PatternSource<'_> {
    // Leaked, for the duration of a test.
    PatternSource {
        phrases: Vec::leak(vec![text]),
        ..PatternSource::default()
    }
}

/// The needle, the text, and whether it is found: as whole words, and anywhere.
const WHOLE_AND_ANYWHERE: &[(&str, &str, bool, bool)] = &[
    // Latin.
    ("refund", "I want a REFUND!", true, true),
    ("refund", "refunds", false, true),
    ("refund", "nonrefund able", false, true),
    ("refund", "(refund)", true, true),
    ("refund", "re fund", false, false),
    ("refund", "refund_id", false, true),
    ("refund", "refund2", false, true),
    ("secret", "_secret_", false, true),
    ("secret", "1secret", false, true),
    ("secret", "top-secret", true, true),
    ("secret", "secret's", true, true),
    ("secret", "s\u{2060}ec\u{200D}ret", true, true),
    // With a Cyrillic letter.
    ("secret", "s\u{435}cret", false, false),
    ("gpt4", "GPT4.", true, true),
    ("4", "gpt4", false, true),
    ("4", "gpt-4", true, true),
    // Apostrophes and hyphens are not letters: l'avion and pre-refund have two words each.
    ("avion", "l'avion", true, true),
    ("avion", "l\u{2019}avion", true, true),
    ("customer", "the customer's", true, true),
    ("don't", "don\u{2019}t", true, true),
    ("don\u{2019}t", "DON'T", true, true),
    ("don't", "dont", false, false),
    ("refund", "pre-refund-2", true, true),
    ("e-mail", "E\u{2011}Mail", true, true),
    ("e-mail", "e - mail", false, false),
    // Symbols end a word and need not be words themselves.
    ("c++", "C++20, or C", true, true),
    ("c", "C++", true, true),
    (".net", "ASP.NET", true, true),
    ("#1", "a#1", true, true),
    ("#1", "#12", false, true),
    // Marks belong to the letter before them.
    ("café", "CAFE\u{301}", true, true),
    ("cafe\u{301}", "un café", true, true),
    ("cafe", "café", false, false),
    ("cafe", "cafe\u{301}s", false, false),
    ("caf", "café", false, true),
    ("ệ", "e\u{323}\u{302}", true, true),
    ("ệ", "e\u{302}\u{323}", true, true),
    ("ệ", "ê\u{323}", true, true),
    ("ångström", "\u{212B}NGSTRO\u{308}M", true, true),
    // German.
    ("straße", "STRASSE", true, true),
    ("strasse", "Straße", true, true),
    ("STRAẞE", "strasse", true, true),
    ("groß", "größer", false, false),
    ("gros", "groß", false, true),
    ("MÜLLER", "müller", true, true),
    // Ligatures, and letters with unusual case mappings.
    ("office", "o\u{FB03}ce", true, true),
    ("kelvin", "\u{212A}elvin", true, true),
    ("sos", "\u{17F}os", true, true),
    // Turkish.
    ("istanbul", "İSTANBUL", true, true),
    ("istanbul", "I\u{307}STANBUL", true, true),
    ("İstanbul", "istanbul", true, true),
    ("İstanbul", "ISTANBUL", true, true),
    ("ışık", "IŞIK", true, true),
    ("IŞIK", "ışık", true, true),
    ("iade", "İADE", true, true),
    ("çağrı", "ÇAĞRI", true, true),
    ("çağrı", "çağrıyı", false, true),
    // Greek: the final sigma equals the others, and accents count.
    ("ΛΌΓΟΣ", "λόγος", true, true),
    ("λόγος", "ΛΌΓΟΣ", true, true),
    ("λογοσ", "λογος", true, true),
    ("λόγος", "λογος", false, false),
    ("επιστροφή", "Επιστροφή χρημάτων", true, true),
    ("επιστροφ", "επιστροφή", false, true),
    ("ᾳ", "ΑΙ", true, true),
    ("µm", "5 μm", true, true),
    // Cyrillic.
    ("возврат", "ВОЗВРАТ денег", true, true),
    ("возврат", "возврата", false, true),
    ("йод", "И\u{306}од", true, true),
    ("ё", "Е\u{308}", true, true),
    ("ё", "е", false, false),
    ("и", "й", false, false),
    ("ґанок", "ҐАНОК", true, true),
    // Armenian, Georgian, Cherokee: other case pairs.
    ("եւ", "և", true, true),
    ("თბილისი", "ᲗᲑᲘᲚᲘᲡᲘ", true, true),
    ("ᏣᎳᎩ", "ꮳꮃꭹ", true, true),
    // Arabic: vowel signs and the tatweel are optional, and direction marks are ignored.
    ("استرداد", "أريد استرداد المبلغ", true, true),
    ("استرداد", "الاسترداد", false, true),
    ("شكرا", "شكراً جزيلاً", true, true),
    ("كتاب", "كِتَابٌ", true, true),
    ("كتاب", "كـــتاب", true, true),
    ("آب", "ا\u{653}ب", true, true),
    ("اب", "آب", false, false),
    ("مبلغ", "\u{200F}مبلغ\u{202C}", true, true),
    // Persian: the joiner that separates letters is ignored.
    ("می\u{200C}خواهم", "میخواهم", true, true),
    // Hebrew: points are optional.
    ("החזר", "אני רוצה החזר.", true, true),
    ("החזר", "ההחזר", false, true),
    ("שלום", "שָׁלוֹם", true, true),
    ("שלום", "\u{FB2A}לום", true, true),
    // Hindi: vowel signs are marks and belong to the word.
    ("वापसी", "पैसे की वापसी चाहिए", true, true),
    ("लड़क", "लड़का", false, true),
    ("क", "कि", false, true),
    ("क", "क़", false, false),
    ("क़लम", "\u{958}लम", true, true),
    ("नमस", "नमस्ते", false, false),
    // Bengali and Tamil.
    ("ফেরত", "টাকা ফেরত চাই", true, true),
    ("கொ", "க\u{BC6}\u{BBE}", true, true),
    // Thai and similar scripts put nothing between words.
    ("คืนเงิน", "ฉันต้องการขอคืนเงินค่ะ", true, true),
    ("คืนเงิน", "ขอคืน\u{200B}เงิน", true, true),
    ("น", "น้ำ", false, false),
    ("น้", "น้ำ", false, true),
    ("ຄືນເງິນ", "ຂໍຄືນເງິນ", true, true),
    ("ប្រាក់", "សុំប្រាក់វិញ", true, true),
    ("ငွေ", "ပြန်ငွေပေး", true, true),
    // Chinese.
    ("退款", "我要退款吗", true, true),
    ("退款", "我要退 款吗", false, false),
    ("iphone", "买iPhone手机", true, true),
    ("iphone", "买iPhones手机", false, true),
    ("3", "3月", true, true),
    ("\u{F9D0}", "\u{985E}", true, true),
    ("𠮷野家", "去𠮷野家吃", true, true),
    // Japanese: が is a letter of its own, in both forms.
    ("返金", "返金してください", true, true),
    ("カード", "クレジットカードが", true, true),
    ("が", "か\u{3099}", true, true),
    ("か", "が", false, false),
    ("api", "APIを使う", true, true),
    // Korean: a particle changes the word, but not a Latin word; jamo equal their syllable.
    ("환불", "환불 부탁드립니다", true, true),
    ("환불", "환불을", false, true),
    ("api", "API를", true, true),
    ("가", "간", false, false),
    (
        "환불",
        "\u{1112}\u{116A}\u{11AB}\u{1107}\u{116E}\u{11AF}",
        true,
        true,
    ),
    ("각", "가\u{11A8}", true, true),
    ("\u{1100}\u{1161}", "가", true, true),
    // Emoji.
    ("👍", "ok👍great", true, true),
    ("👍", "👍🏽", true, true),
    ("❤", "I ❤️ it", true, true),
    ("❤️", "I❤it", true, true),
    ("👩\u{200D}💻", "a👩\u{200D}💻b", true, true),
    ("ok", "👍ok👍", true, true),
    ("1", "1\u{FE0F}\u{20E3}", false, true),
    // Invisible characters.
    ("refund", "re\u{AD}fund", true, true),
    ("refund", "\u{FEFF}refund", true, true),
    ("refund", "re\u{200B}fund", false, true),
    // Phrases.
    ("cancel my order", "Cancel\u{A0}my\r\n\t order.", true, true),
    ("  cancel my  order ", "cancel my order", true, true),
    ("cancel my order", "cancel my orders", false, true),
    ("cancel my order", "cancelmy order", false, false),
    ("cancel my order", "cancel, my order", false, false),
    ("my order", "cancel my\u{3000}order", true, true),
    ("отменить заказ", "ОТМЕНИТЬ\nЗАКАЗ", true, true),
    ("退款 申请", "退款\u{3000}申请", true, true),
    ("退款 申请", "退款申请", false, false),
    ("really?", "Really?!", true, true),
    ("the end", "the end", true, true),
    ("the end", "the enđ", false, false),
    ("a b", "a a b", true, true),
    ("a b a c", "a b a b a c", true, true),
];

#[test]
fn words_of_all_scripts() {
    let mut wrong = Vec::new();
    for &(needle, text, whole, anywhere) in WHOLE_AND_ANYWHERE {
        for (whole_words, expected) in [(true, whole), (false, anywhere)] {
            let written = PatternSource {
                whole_words,
                ..phrase(needle)
            };
            if build(&written).matches(text) != expected {
                wrong.push((needle, text, whole_words, expected));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn letter_case_counts_where_it_shall() {
    for (needle, text, expected) in [
        ("SQL", "an SQL query", true),
        ("SQL", "an sql query", false),
        ("straße", "STRASSE", false),
        ("straße", "strasse", false),
        ("λόγος", "λόγοσ", false),
        ("ışık", "işik", false),
        ("İ", "I\u{307}", true),
        ("i", "İ", false),
        // With case-sensitive comparison, equivalences other than case still hold.
        ("café", "cafe\u{301}", true),
        ("don't", "don\u{2019}t", true),
        ("a b", "a\nb", true),
        ("退款", "我要退款吗", true),
    ] {
        let written = PatternSource {
            case_sensitive: true,
            ..phrase(needle)
        };
        assert_eq!(build(&written).matches(text), expected, "{needle} {text}");
    }
}

#[test]
fn any_is_enough() {
    let all = PatternSource {
        words: &["refund", "退款"],
        phrases: &["cancel my order"],
        regex: Some(r"\border-\d+\b"),
        ..PatternSource::default()
    };
    let all = build(&all);
    for text in [
        "a Refund",
        "我要退款吗",
        "please cancel\nmy order",
        "ORDER-٣٤",
    ] {
        assert!(all.matches(text), "{text}");
    }
    for text in ["", "refunded", "cancel order", "border-1", "order-"] {
        assert!(!all.matches(text), "{text}");
    }
}

#[test]
fn catastrophic_words_end() {
    let needles: Vec<String> = (1..500).map(|length| "a".repeat(length) + "b").collect();
    let needles: Vec<&str> = needles.iter().map(String::as_str).collect();
    for whole_words in [true, false] {
        let pattern = build(&PatternSource {
            words: &needles,
            whole_words,
            ..PatternSource::default()
        });
        for times in [1_000, 100_000] {
            let mut text = "a".repeat(times);
            assert!(!pattern.matches(&text));
            text.push('b');
            assert_eq!(pattern.matches(&text), !whole_words);
            assert!(pattern.matches(&format!("{text} aab")));
        }
    }
}

fn errors(written: &PatternSource<'_>) -> String {
    let errors = TextPattern::new(written).expect_err("it is wrong");
    let lines = errors
        .iter()
        .map(|error| format!("{:?} {}", error.part, error.message));
    lines.collect::<Vec<String>>().join("\n")
}

#[test]
fn errors_say_where_and_what_to_do() {
    let long = "é".repeat(MAX_WORD_CHARS + 1);
    let written = PatternSource {
        words: &["good", " ", "two words", "\u{AD}"],
        phrases: &[&long, ""],
        regex: Some("é(a"),
        ..PatternSource::default()
    };
    assert_eq!(
        errors(&written),
        "Word(1) must not be empty\n\
         Word(2) is more than one word: put it under `phrases`\n\
         Word(3) must not be empty\n\
         Phrase(0) is too long: at most 1000 characters are allowed\n\
         Phrase(1) must not be empty\n\
         Regex unclosed group, at character 2"
    );
    assert_eq!(
        errors(&PatternSource::default()),
        "Whole matches nothing: add `words`, `phrases` or a `regex`"
    );
    let many = vec!["a"; MAX_WORDS + 1];
    assert_eq!(
        errors(&PatternSource {
            words: &many,
            ..PatternSource::default()
        }),
        "Whole has 10001 words and phrases, but at most 10000 are allowed"
    );
}

#[test]
fn shown_in_the_words_of_the_document() {
    let all = PatternSource {
        words: &["a", "b", "c", "d", "e", "f", "g"],
        phrases: &["say \"no\""],
        regex: Some(r"\d"),
        case_sensitive: true,
        whole_words: false,
    };
    assert_eq!(
        build(&all).to_string(),
        r#"{words: ["a", "b", "c", "d", "e", … 2 more], phrases: ["say \"no\""], regex: "\\d", case_sensitive: true, whole_words: false}"#
    );
    assert_eq!(build(&phrase("a")).to_string(), r#"{phrases: ["a"]}"#);
    assert_eq!(build(&all), build(&all).clone());
    assert_ne!(build(&all), build(&phrase("a")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Compares with the regular expression engine, which shares only the letters.
    #[test]
    fn agrees_with_a_regular_expression(
        word in "[aAéσςΣяЯЁעب_1]{1,2}",
        text in "[aAéßσςΣяЯЁעب_1 .,'—\n]{0,24}",
    ) {
        // The engine has no full case folding.
        prop_assume!(!text.contains('ß'));
        let written = PatternSource { words: &[&word], ..PatternSource::default() };
        let expected = regex(&format!(r"(?:^|\W){word}(?:\W|$)")).matches(&text);
        prop_assert_eq!(build(&written).matches(&text), expected);
        let anywhere = PatternSource { whole_words: false, ..written };
        prop_assert_eq!(build(&anywhere).matches(&text), regex(&word).matches(&text));
    }

    /// A pattern of many words matches exactly if one of them does.
    #[test]
    fn any_of_many_is_one_of_them(
        phrases in prop::collection::vec("[ab退\u{301}-]{1,3}( [ab款]{1,2})?", 1..8),
        text in "[ab退款\u{301} \n-]{0,30}",
        case_sensitive: bool,
        whole_words: bool,
    ) {
        let phrases: Vec<&str> = phrases.iter().map(String::as_str).collect();
        let all = PatternSource { phrases: &phrases, case_sensitive, whole_words, ..PatternSource::default() };
        let one_by_one = phrases.iter().any(|phrase| {
            build(&PatternSource { phrases: &[phrase], ..all }).matches(&text)
        });
        prop_assert_eq!(build(&all).matches(&text), one_by_one);
    }

    /// A phrase without word characters next to it is found, whatever it contains.
    #[test]
    fn a_phrase_is_found_where_it_stands(phrase: String, before: String, after: String) {
        let written = PatternSource { phrases: &[&phrase], ..PatternSource::default() };
        if let Ok(pattern) = TextPattern::new(&written) {
            let text = format!("{before}\n{}\n{after}", phrase.trim());
            prop_assert!(pattern.matches(&text));
        }
    }

    #[test]
    fn anything_can_be_written(source in ".{0,30}", pieces in r"([()\[\]|*+?{},.\\^$0-9a-]|\\[pPbBwWdDsS]|\{[0-9]\}|é){0,20}", text: String) {
        for source in [&source, &pieces] {
            let written = PatternSource { words: &[source], regex: Some(source), ..PatternSource::default() };
            match TextPattern::new(&written) {
                Ok(pattern) => { let _ = pattern.matches(&text); }
                Err(errors) => prop_assert!(errors.iter().all(|error| !error.message.is_empty())),
            }
        }
    }
}
