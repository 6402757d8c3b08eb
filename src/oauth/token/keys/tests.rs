//! Rotations.

use super::*;
use crate::oauth::token::Token;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_secs(1_900_000_000);

fn later(keys: &TagKeys, times: usize) -> TagKeys {
    (0..times).fold(keys.clone(), |keys, _| {
        let now = keys.former().1.map_or(NOW, |last| last.plus(PACE));
        keys.rotated(now, false).unwrap()
    })
}

fn made_by(keys: &TagKeys) -> String {
    Token::mint(TokenKind::Access, keys).unwrap().secret().reveal().to_owned()
}

fn recognises(keys: &TagKeys, token: &str) -> bool {
    keys.recognise(TokenKind::Access, token.as_bytes())
}

/// TOK-16: no token becomes invalid by a rotation, and who has missed one recognises what is made after it.
#[test]
fn a_rotation_makes_no_token_invalid() {
    let first = TagKeys::generate().unwrap();
    let second = first.rotated(NOW, false).unwrap();
    assert!(recognises(&second, &made_by(&first)), "the former");
    assert!(recognises(&first, &made_by(&second)), "the next");
    let third = later(&second, 1);
    assert!(recognises(&third, &made_by(&first)));
    assert!(!recognises(&first, &made_by(&third)), "nobody knows a key before its time");
    assert!(third.follow(&first) && third.follow(&second) && !second.follow(&third) && !second.follow(&second));
}

#[test]
fn former_keys_are_forgotten_when_they_shall_be() {
    let first = TagKeys::generate().unwrap();
    let second = later(&first, 1);
    let third = second.rotated(NOW.plus(PACE), true).unwrap();
    assert!(!recognises(&third, &made_by(&first)));
    assert!(recognises(&third, &made_by(&second)), "its predecessor made tokens a moment ago");
}

/// TOK-16: a node that missed both rotations takes the keys over as they are, and believes no more than others do.
#[test]
fn who_missed_two_rotations_sees_that_keys_were_forgotten() {
    let first = TagKeys::generate().unwrap();
    let second = first.rotated(NOW, true).unwrap();
    let third = second.rotated(NOW.plus(PACE), true).unwrap();
    assert!(third.follow(&first) && third.forget_some_of(&first));
    assert!(!second.forget_some_of(&first) && !second.follow(&third) && !first.follow(&third));
}

#[test]
fn a_second_rotation_waits_until_all_nodes_know_the_next_key() {
    let keys = TagKeys::generate().unwrap().rotated(NOW, false).unwrap();
    let at = NOW.plus(PACE.saturating_sub(Duration::from_secs(10)));
    assert!(matches!(keys.rotated(at, false), Err(NotRotated::TooSoon(left)) if left == Duration::from_secs(10)));
    assert!(keys.rotated(NOW.plus(PACE), false).is_ok());
}

#[test]
fn a_key_whose_tokens_may_live_is_not_forgotten_unasked() {
    let keys = later(&TagKeys::generate().unwrap(), MOST);
    let soon = keys.former().1.unwrap().plus(PACE);
    assert!(matches!(keys.rotated(soon, false), Err(NotRotated::TooMany)));
    assert_eq!(keys.rotated(soon, true).unwrap().former().0, 1);
    assert_eq!(keys.rotated(soon.plus(LONGEST), false).unwrap().former().0, MOST);
}

#[test]
fn what_was_made_here_is_believed_beside_the_keys_of_others() {
    let (held, found) = (TagKeys::generate().unwrap(), TagKeys::generate().unwrap());
    let joined = found.clone().joined(&held, NOW);
    assert!(recognises(&joined, &made_by(&held)) && recognises(&joined, &made_by(&found)));
    assert_eq!(joined.former().0, 1);
    assert!(held.clone().joined(&held, NOW).same(&held));
}

#[test]
fn keys_survive_the_store() {
    let keys = later(&TagKeys::generate().unwrap(), 3);
    let read = TagKeys::unpack(&keys.pack()).unwrap();
    assert!(read.same(&keys));
    assert!(!read.same(&later(&keys, 1)));
    assert_eq!(read.former(), keys.former());
}

proptest! {
    #[test]
    fn what_is_not_ours_is_refused(packed: Vec<u8>) {
        prop_assert!(TagKeys::unpack(&packed).is_none());
    }
}
