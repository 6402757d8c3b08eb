use super::*;
use crate::clock;
use crate::people::password::tests::quick_hash;
use crate::secret::Secret;
use crate::store::{self, Kind, Location};
use std::time::Duration;

pub(crate) const START: Timestamp = Timestamp::from_secs(1_900_000_000);

pub(crate) fn later(secs: u64) -> Timestamp {
    START.plus(Duration::from_secs(secs))
}

pub(crate) fn alice() -> Subject {
    Subject { name: "Alice".into(), origin: Origin::Configuration }
}

async fn store() -> Store {
    let timeout = Duration::from_secs(1);
    Store::open(&store::Settings { location: Location::Memory, timeout, feed_timeout: timeout }).await.unwrap()
}

fn configured(names: &[&str]) -> Arc<Users> {
    let user = |name: &&str| User {
        name: (*name).to_owned(),
        password_hash: quick_hash("pw"),
        scopes: None,
        origin: Origin::Configuration,
    };
    Arc::new(Users::new(names.iter().map(user).collect()))
}

/// A directory over a store in memory; `Alice` and `bob` are configured.
pub(crate) async fn directory() -> Directory {
    Directory::new(configured(&["Alice", "bob"]), store().await)
}

/// Makes a user of the store whose password takes no time.
pub(crate) async fn stored(directory: &Directory, name: &str, password: &str) {
    let record = UserRecord {
        name: name.to_owned(),
        password_hash: Some(quick_hash(password)),
        scopes: Some("read".to_owned()),
        disabled: false,
        leaving: false,
        created_at: START.as_millis(),
        admitted_at: START.as_millis(),
    };
    directory.admit(record, START).await.unwrap();
}

pub(crate) async fn sign_in(directory: &Directory, name: &str, password: &str, now: Timestamp) -> ResourceOwner {
    directory.authenticate(name, password, now).await.unwrap()
}

async fn refused(directory: &Directory, name: &str, password: &str) -> bool {
    matches!(directory.authenticate(name, password, later(10)).await, Err(LoginError::Refused))
}

fn new(name: &str) -> NewUser {
    NewUser { name: name.to_owned(), password: Secret::new("a password"), scopes: None }
}

/// R6749-4.3b, UI-8
#[tokio::test]
async fn a_wrong_password_an_unknown_name_and_a_disabled_user_are_one_answer() {
    let directory = directory().await;
    stored(&directory, "carol", "pw").await;
    stored(&directory, "dave", "pw").await;
    directory.disable("dave", START).await.unwrap();
    for (name, password) in [("alice", "no"), ("carol", "no"), ("nobody", "pw"), ("dave", "pw"), ("", ""), (" ", "pw")]
    {
        assert!(refused(&directory, name, password).await, "{name}");
    }
    assert!(refused(&directory, &"x".repeat(100_000), "pw").await);
    assert!(refused(&Directory::new(Arc::default(), store().await), "bob", "pw").await);
}

#[tokio::test]
async fn a_name_is_one_in_every_spelling_and_keeps_the_first_one() {
    let directory = directory().await;
    stored(&directory, "Carol", "pw").await;
    for (spelling, name, origin) in [("ALICE", "Alice", Origin::Configuration), ("cAROL", "Carol", Origin::Store)] {
        let owner = sign_in(&directory, spelling, "pw", START).await;
        assert_eq!((owner.user().name.as_str(), owner.user().origin), (name, origin));
        assert!(directory.find(&owner.user().subject(), START).await.unwrap().is_some());
    }
    let scopes = sign_in(&directory, "carol", "pw", START).await.user().scopes.clone();
    assert_eq!(scopes.map(|scopes| scopes.to_string()).as_deref(), Some("read"));
}

/// R9700-4.15
#[tokio::test]
async fn a_name_exists_once() {
    let directory = directory().await;
    directory.add(new("Carol"), START).await.unwrap();
    for name in ["ALICE", "bob", "carol", "CAROL"] {
        assert!(matches!(directory.add(new(name), START).await, Err(ChangeError::Taken)), "{name}");
    }
    for name in ["", " a", "a\n", &"x".repeat(257)] {
        assert!(matches!(directory.add(new(name), START).await, Err(ChangeError::Name(_))), "{name}");
    }
    assert_eq!(directory.stored(START).await.unwrap().len(), 1);
    assert_eq!(sign_in(&directory, "carol", "a password", START).await.user().name, "Carol");
}

/// R9700-4.15: configured from now on, it is another person.
#[tokio::test]
async fn a_user_of_the_store_whose_name_is_configured_is_hidden() {
    let before = directory().await;
    stored(&before, "carol", "secret").await;
    let sign_in = sign_in(&before, "carol", "secret", START).await.sign_in();
    let after = Directory::new(configured(&["Carol"]), before.store.clone());
    assert!(refused(&after, "carol", "secret").await);
    assert!(!after.honours(&sign_in, START).await.unwrap());
    assert!(after.find(&sign_in.subject, START).await.unwrap().is_none());
    assert!(before.find(&sign_in.subject, START).await.unwrap().is_some());
    let removed = Directory::new(Arc::default(), before.store.clone());
    assert!(removed.find(&alice(), START).await.unwrap().is_none());
    assert!(!removed.honours(&SignIn { subject: alice(), since: START }, START).await.unwrap());
}

/// Hazards, line 35
#[tokio::test]
async fn a_sign_in_of_a_removed_user_is_not_one_of_whoever_has_the_name_next() {
    let directory = directory().await;
    stored(&directory, "carol", "pw").await;
    let former = sign_in(&directory, "carol", "pw", later(1)).await.sign_in();
    assert!(directory.honours(&former, later(1)).await.unwrap());
    directory.remove("CAROL", later(2)).await.unwrap();
    assert!(!directory.honours(&former, later(2)).await.unwrap());
    assert!(matches!(directory.remove("carol", later(4)).await, Err(ChangeError::Unknown)));
    directory.add(new("carol"), later(4)).await.unwrap();
    assert!(!directory.honours(&former, later(5)).await.unwrap());
    assert!(refused(&directory, "carol", "pw").await);
}

#[tokio::test]
async fn a_name_can_be_used_again_at_once_and_after_a_removal_that_was_cut_short() {
    let directory = directory().await;
    stored(&directory, "carol", "pw").await;
    directory.remove("carol", START).await.unwrap();
    assert!(directory.stored(START).await.unwrap().is_empty());
    directory.add(new("Carol"), START).await.unwrap();
    let known = stored::record(&directory.store, "carol", START).await.unwrap().unwrap();
    let leaving = UserRecord { leaving: true, ..known.value };
    assert!(directory.store.put(Kind::User, "carol", (&leaving, None), Some(known.version), START).await.unwrap());
    assert!(refused(&directory, "carol", "a password").await);
    assert!(matches!(directory.disable("carol", START).await, Err(ChangeError::Unknown)));
    directory.add(new("carol"), later(1)).await.unwrap();
    assert_eq!(directory.stored(later(1)).await.unwrap()[0].name, "carol");
}

#[tokio::test]
async fn a_new_password_ends_the_sign_ins_with_the_old_one() {
    let directory = directory().await;
    stored(&directory, "carol", "pw").await;
    let old = sign_in(&directory, "carol", "pw", START).await.sign_in();
    directory.set_password("carol", Secret::new("another"), later(1)).await.unwrap();
    assert!(refused(&directory, "carol", "pw").await);
    assert!(!directory.honours(&old, later(1)).await.unwrap());
    let owner = sign_in(&directory, "carol", "another", START).await;
    assert_eq!(owner.since(), later(1), "a clock that is behind does not hurt");
    assert!(directory.honours(&owner.sign_in(), START).await.unwrap());
}

/// Hashing takes a while: whoever signs in meanwhile does so with the old password.
#[tokio::test]
async fn a_sign_in_while_the_password_is_being_changed_does_not_outlive_it() {
    let directory = directory().await;
    let now = clock::now();
    let record = UserRecord { password_hash: Some(quick_hash("pw")), ..UserRecord::vouched("carol", None, now) };
    directory.admit(record, now).await.unwrap();
    let change = directory.set_password("carol", Secret::new("another"), now);
    let sign_in = async { directory.authenticate("carol", "pw", clock::now().plus(Duration::from_millis(1))).await };
    let (changed, owner) = tokio::join!(change, sign_in);
    changed.unwrap();
    if let Ok(owner) = owner {
        assert!(!directory.honours(&owner.sign_in(), clock::now()).await.unwrap());
    }
    // Nor does one that arrived behind the hash, and was still being checked when the new one was stored.
    let checked = User { origin: Origin::Store, ..UserRecord::vouched("carol", None, now).user() };
    let user = Arc::new(User { password_hash: quick_hash("pw"), ..checked });
    let late = ResourceOwner::new(user, clock::now().plus(Duration::from_hours(1)));
    assert!(!directory.is_still(&late, clock::now()).await.unwrap());
}

#[tokio::test]
async fn what_the_configuration_has_is_not_changed_here() {
    let directory = directory().await;
    assert!(matches!(directory.remove("alice", START).await, Err(ChangeError::Configured)));
    assert!(matches!(directory.disable("ALICE", START).await, Err(ChangeError::Configured)));
    assert!(matches!(directory.enable("bob", START).await, Err(ChangeError::Configured)));
    let changed = directory.set_password("bob", Secret::new("x"), START).await;
    assert!(matches!(changed, Err(ChangeError::Configured)));
    assert!(matches!(directory.enable("nobody", START).await, Err(ChangeError::Unknown)));
}

#[tokio::test]
async fn every_user_of_the_store_is_listed_and_no_hash_is_shown() {
    let directory = directory().await;
    for number in 0..205 {
        stored(&directory, &format!("user-{number:03}"), "pw").await;
    }
    let users = directory.stored(START).await.unwrap();
    assert_eq!((users.len(), users[204].name.as_str()), (205, "user-204"));
    assert!(!format!("{users:?}").contains("argon2id"));
}
