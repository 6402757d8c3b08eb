//! The dialogue: what lies between a page and the form that comes back from it (UI-4, UI-5, UI-8).
//! Nothing is stored for a browser that nobody has signed in with: the page holds the state itself,
//! sealed, so that it is the anti-forgery token as well. It is good for one browser, for one session
//! where there is one, for one step, and for ten minutes.

use crate::clock::Timestamp;
use crate::issue::AuthorizationRequest;
use crate::oauth::token::TagKeys;
use crate::secret::TagKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a page may lie open.
const LIFE: Duration = Duration::from_secs(600);

/// The longest sealed dialogue: what is longer is not handed out and not looked at.
const LONGEST: usize = 32 * 1024;

/// Sets these seals apart from whatever else the keys are used for.
const PURPOSE: &str = "dialogue";

/// A SHA-256.
const SEAL: usize = 32;

/// What a form goes on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Dialogue {
    /// Somebody may sign in, for this.
    SignIn(Purpose),
    /// Somebody signs in at an identity provider, and comes back with this as `state`.
    AtProvider {
        /// For what.
        purpose: Purpose,
        /// Makes it one of its own.
        id: String,
        /// When it began, in milliseconds since the Unix epoch.
        begun: u64,
    },
    /// The resource owner was asked.
    Consent {
        /// By whom.
        request: AuthorizationRequest,
        /// What stood on the page: nothing beyond it can be allowed.
        offered: String,
    },
    /// The resource owner was asked for a device (RFC 8628).
    DeviceConsent {
        /// Which.
        id: String,
        /// What stood on the page.
        offered: String,
    },
    /// A device's code may be entered.
    DeviceCode,
    /// The session may be ended, and somebody else sign in for this.
    Leave(Option<Purpose>),
    /// Another session of the account may be ended.
    EndSession,
    /// What apps may do may be taken back.
    TakeBack,
    /// What an app could do has been taken back.
    TakenBack {
        /// What the app is called.
        name: String,
    },
}

/// What somebody signs in for.
#[expect(clippy::large_enum_variant, reason = "there is one a request, and the largest is the usual one")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// The account page.
    Account,
    /// A client's authorization request.
    Authorize(AuthorizationRequest),
    /// A device with this user code; empty: it is still to be entered.
    Device {
        /// As it was typed.
        user_code: String,
    },
    /// A client's request that is wrong: the client is told, but not before there is somebody (D-11).
    Refusal {
        /// Where the browser goes.
        location: String,
    },
}

/// What a dialogue is good for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding<'b> {
    /// The value of the browser's cookie.
    pub(super) browser: &'b str,
    /// The session's identifier; `None`: the step is for those who sign in.
    pub(super) session: Option<&'b str>,
}

/// Why a dialogue does not go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DialogueError {
    /// It was not made here, for this browser, session and kind of step.
    Forged,
    /// It was, but too long ago: the step may be shown again.
    Expired(Box<Dialogue>),
}

#[derive(Serialize, Deserialize)]
struct Sealed<D> {
    dialogue: D,
    until: u64,
}

impl Dialogue {
    /// The text for the form; `None`: it is too long.
    pub(super) fn seal(&self, keys: &TagKeys, binding: Binding<'_>, now: Timestamp) -> Option<String> {
        let sealed = Sealed { dialogue: self, until: now.plus(LIFE).as_millis() };
        let mut octets = serde_json::to_vec(&sealed).ok()?;
        let seal = keys.current().seal(PURPOSE, &binding.parts(&octets));
        octets.extend_from_slice(&seal);
        let text = URL_SAFE_NO_PAD.encode(octets);
        (text.len() <= LONGEST).then_some(text)
    }

    /// Reads what came back from a form.
    ///
    /// # Errors
    /// When it is not good (any more).
    pub(super) fn open(
        text: &str,
        keys: &TagKeys,
        binding: Binding<'_>,
        now: Timestamp,
    ) -> Result<Self, DialogueError> {
        Self::open_with(text, keys, binding, now).map(|(dialogue, _)| dialogue)
    }

    /// The same, with the key that made the seal: what else was made with it can be made again.
    pub(super) fn open_with<'k>(
        text: &str,
        keys: &'k TagKeys,
        binding: Binding<'_>,
        now: Timestamp,
    ) -> Result<(Self, &'k TagKey), DialogueError> {
        if text.len() > LONGEST {
            return Err(DialogueError::Forged);
        }
        let octets = URL_SAFE_NO_PAD.decode(text).map_err(|_| DialogueError::Forged)?;
        let at = octets.len().checked_sub(SEAL).ok_or(DialogueError::Forged)?;
        let (payload, seal) = octets.split_at(at);
        let parts = binding.parts(payload);
        let made_by = |key: &&TagKey| key.is_sealed(PURPOSE, &parts, seal);
        let key = keys.believed().find(made_by).ok_or(DialogueError::Forged)?;
        let sealed: Sealed<Self> = serde_json::from_slice(payload).map_err(|_| DialogueError::Forged)?;
        if Timestamp::from_millis(sealed.until) <= now {
            return Err(DialogueError::Expired(Box::new(sealed.dialogue)));
        }
        Ok((sealed.dialogue, key))
    }
}

impl<'b> Binding<'b> {
    fn parts(self, payload: &'b [u8]) -> [&'b [u8]; 3] {
        [self.browser.as_bytes(), self.session.unwrap_or_default().as_bytes(), payload]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1_900_000_000);
    const HERE: Binding<'_> = Binding { browser: "b", session: Some("s") };

    fn key(octet: u8) -> TagKey {
        TagKey::from_bytes([octet; 32])
    }

    fn keys() -> TagKeys {
        TagKeys::new(key(1), key(2))
    }

    fn consent(state: &str) -> Dialogue {
        let request = AuthorizationRequest {
            client_id: "web".into(),
            redirect_uri: "https://app.example/cb".into(),
            redirect_uri_sent: true,
            scope: None,
            state: Some(state.into()),
            code_challenge: None,
            resources: Vec::new(),
            prompt: None,
            login_hint: None,
            max_age: None,
            pushed: None,
        };
        Dialogue::Consent { request, offered: "read".into() }
    }

    fn opened(text: &str, binding: Binding<'_>) -> Result<Dialogue, DialogueError> {
        Dialogue::open(text, &keys(), binding, NOW)
    }

    /// UI-4, UI-5
    #[test]
    fn a_dialogue_comes_back_as_it_went_and_only_to_its_browser_and_session() {
        let text = consent("x").seal(&keys(), HERE, NOW).unwrap();
        assert_eq!(opened(&text, HERE), Ok(consent("x")));
        for other in [
            Binding { browser: "c", session: Some("s") },
            Binding { browser: "b", session: Some("t") },
            Binding { browser: "b", session: None },
            Binding { browser: "bs", session: None },
        ] {
            assert_eq!(opened(&text, other), Err(DialogueError::Forged), "{other:?}");
        }
    }

    #[test]
    fn a_dialogue_is_good_for_ten_minutes() {
        let text = Dialogue::TakeBack.seal(&keys(), HERE, NOW).unwrap();
        let after = |secs| Dialogue::open(&text, &keys(), HERE, NOW.plus(Duration::from_secs(secs)));
        assert_eq!(after(599), Ok(Dialogue::TakeBack));
        assert_eq!(after(600), Err(DialogueError::Expired(Box::new(Dialogue::TakeBack))));
    }

    #[test]
    fn a_previous_key_is_believed_and_a_strange_one_is_not() {
        let text = Dialogue::TakeBack.seal(&keys(), HERE, NOW).unwrap();
        let open = |keys| Dialogue::open(&text, &keys, HERE, NOW);
        assert_eq!(open(keys().rotated(NOW, false).unwrap()), Ok(Dialogue::TakeBack));
        assert_eq!(open(TagKeys::new(key(2), key(3))), Err(DialogueError::Forged));
    }

    #[test]
    fn what_is_too_long_is_neither_made_nor_read() {
        assert_eq!(consent(&"x".repeat(LONGEST)).seal(&keys(), HERE, NOW), None);
        assert_eq!(opened(&"A".repeat(LONGEST + 4), HERE), Err(DialogueError::Forged));
    }

    proptest! {
        /// UI-4
        #[test]
        fn any_altered_octet_is_refused(at: proptest::sample::Index, to in "[A-Za-z0-9_=.-]") {
            let text = consent("x").seal(&keys(), HERE, NOW).unwrap();
            let at = at.index(text.len());
            let altered = format!("{}{to}{}", &text[..at], &text[at + 1..]);
            prop_assume!(altered != text);
            prop_assert_eq!(opened(&altered, HERE), Err(DialogueError::Forged));
        }

        #[test]
        fn any_text_is_refused_without_panic(text: String) {
            prop_assert_eq!(opened(&text, HERE), Err(DialogueError::Forged));
        }
    }
}
