//! The faults that a model name asks for.

use axum::http::StatusCode;

/// What a backend does wrong on purpose. The table of names is in the documentation of [`super::backend`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answer this status, with an error object in the API's own format.
    Status(StatusCode),
    /// Never answer; the connection stays open until the client leaves.
    Hang,
    /// Break the connection with a TCP RST before anything was answered.
    Reset,
    /// Close the connection with a FIN before anything was answered.
    Close,
}

impl Fault {
    /// The fault of this model name; none for a model that works.
    pub(crate) fn of_model(model: &str) -> Option<Fault> {
        match model {
            "hang" => Some(Fault::Hang),
            "reset" => Some(Fault::Reset),
            "close" => Some(Fault::Close),
            _ => {
                let status: u16 = model.strip_prefix("status-")?.parse().ok()?;
                // Below 200 is no final answer, and 600 is no status.
                if !(200..600).contains(&status) {
                    return None;
                }
                StatusCode::from_u16(status).ok().map(Fault::Status)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_pick_faults() {
        assert_eq!(
            Fault::of_model("status-429"),
            Some(Fault::Status(StatusCode::TOO_MANY_REQUESTS))
        );
        assert_eq!(
            Fault::of_model("status-529").map(|fault| matches!(fault, Fault::Status(_))),
            Some(true)
        );
        assert_eq!(Fault::of_model("hang"), Some(Fault::Hang));
        assert_eq!(Fault::of_model("reset"), Some(Fault::Reset));
        assert_eq!(Fault::of_model("close"), Some(Fault::Close));
    }

    #[test]
    fn other_names_work() {
        for model in [
            "gpt-5.5",
            "status-",
            "status-ok",
            "status-100",
            "status-600",
            "status--1",
            "Hang",
        ] {
            assert_eq!(Fault::of_model(model), None, "{model}");
        }
    }
}
