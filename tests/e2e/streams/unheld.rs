//! Trials of streams that are not held: of routes that say so, and of routes with a single target.

use std::time::Duration;

use serde_json::json;

use super::{alone, falling_back, hear, only_the_first};
use crate::fleet::policy::VirtualModel;
use crate::harness::{Api, Case, Suite};

pub(super) fn add(suite: &mut Suite) {
    super::add_both(suite, "streams::unheld::the_status_passes_at_once", at_once);
    super::add_both(
        suite,
        "streams::unheld::what_is_wrong_inside_passes",
        wrong_inside,
    );
    super::add_both(
        suite,
        "streams::unheld::an_unfinished_stream_gets_an_error_event",
        unfinished,
    );
    super::add_both(
        suite,
        "streams::unheld::an_empty_stream_gets_an_error_event",
        empty,
    );
    super::add_both(
        suite,
        "streams::unheld::a_stall_ends_at_the_idle_limit",
        stall,
    );
}

/// Both kinds of routes.
const ROUTES: [&str; 2] = ["none", "alone"];

pub(super) fn virtuals() -> Vec<VirtualModel> {
    let none = json!({"hold": "none", "idle_timeout_ms": 1500});
    let idle = json!({"idle_timeout_ms": 1500});
    let mut all = vec![];
    for fault in [
        "slow-token-1000",
        "error-first",
        "end-3",
        "empty-stream",
        "stall-3",
    ] {
        all.extend(falling_back(&format!("none-{fault}"), fault, &none));
        all.extend(alone(&format!("alone-{fault}"), fault, &idle));
    }
    all
}

async fn at_once(case: Case, api: Api) {
    for route in ROUTES {
        let heard = hear(&case, api, &format!("{route}-slow-token-1000")).await;
        let expected = only_the_first(&heard, api).await;
        heard.is_whole().says(&expected);
        let (begun, all) = (heard.begun - heard.asked, heard.ended - heard.asked);
        // The first token arrives after a second.
        assert!(
            begun < Duration::from_millis(900) && all > Duration::from_millis(1000),
            "{route}: the status after {begun:?}, all after {all:?}"
        );
    }
}

async fn wrong_inside(case: Case, api: Api) {
    for route in ROUTES {
        let heard = hear(&case, api, &format!("{route}-error-first")).await;
        let expected = only_the_first(&heard, api).await;
        heard.is_whole().says(&expected);
    }
}

async fn unfinished(case: Case, api: Api) {
    for route in ROUTES {
        let heard = hear(&case, api, &format!("{route}-end-3")).await;
        let expected = only_the_first(&heard, api).await;
        super::released::is_ended_by_our_error(&heard, api, &expected);
    }
}

async fn empty(case: Case, api: Api) {
    for route in ROUTES {
        let heard = hear(&case, api, &format!("{route}-empty-stream")).await;
        let expected = only_the_first(&heard, api).await;
        assert!(expected.is_empty());
        super::released::is_ended_by_our_error(&heard, api, &expected);
    }
}

async fn stall(case: Case, api: Api) {
    for route in ROUTES {
        let heard = hear(&case, api, &format!("{route}-stall-3")).await;
        heard.is_broken();
        super::released::ended_by_silence(&heard, api, Duration::from_millis(1500)).await;
    }
}
