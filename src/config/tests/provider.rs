//! `[login] issuer`: what is refused, and what is warned of.

use super::*;

fn with(login: &str) -> Result<Configuration, ConfigErrors> {
    Folder::new(&[("gateway.toml", &format!("{SMALL}\n[login]\n{login}\n"))]).load()
}

const GOOGLE: &str =
    "issuer = \"https://accounts.google.com\"\nclient_id = \"a\"\nclient_secret = \"env:APP_SECRET\"\n";

#[test]
fn a_provider_is_known_by_its_issuer() {
    let plan = with(GOOGLE).unwrap_or_else(|errors| panic!("{errors}")).plan;
    let provider = plan.provider.as_ref().unwrap();
    let settings = provider.settings();
    assert_eq!((&*settings.name, &*settings.subject_claim), ("accounts.google.com", "sub"));
    assert_eq!(settings.scopes, ["openid", "profile", "email"]);
    assert!(settings.passwords && settings.redirect_uri.ends_with("/oauth2/login/callback"));
    assert!(!format!("{provider:?}").contains("a-secret"), "{provider:?}");
    assert!(provider.has("https://accounts.google.com#1"));
    for other in ["https://accounts.google.com", "https://accounts.google.com.evil.example#1", "1", "alice"] {
        assert!(!provider.has(other), "{other}");
    }
}

#[test]
fn anybody_at_a_public_provider_is_worth_a_warning() {
    let warnings = |more: &str| with(&format!("{GOOGLE}{more}")).unwrap_or_else(|errors| panic!("{errors}")).warnings;
    let warned = |more: &str| warnings(more).iter().any(|warning| warning.contains("anybody with an account"));
    assert!(warned(""));
    assert!(!warned("allowed_domains = [\"example.com\"]") && !warned("allowed_subjects = [\"1\"]"));
}

#[test]
fn what_cannot_be_a_provider_is_refused() {
    for (login, problem) in [
        ("", "`[login]` does not say where people sign in"),
        ("client_id = \"a\"\nurl = \"https://a.example\"", "`client_id` in `[login]` is for an identity provider"),
        ("issuer = \"https://a.example\"", "`issuer` in `[login]` needs a `client_id`"),
        ("issuer = \"http://a.example\"\nclient_id = \"a\"", "this cannot be the issuer"),
        ("issuer = \"https://a.example/?x\"\nclient_id = \"a\"", "this cannot be the issuer"),
        ("issuer = \"https://a.example/#x\"\nclient_id = \"a\"", "this cannot be the issuer"),
        ("issuer = \"https://u@a.example\"\nclient_id = \"a\"", "this cannot be the issuer"),
        (
            "issuer = \"https://login.microsoftonline.com/common/v2.0\"\nclient_id = \"a\"",
            "ID tokens of Microsoft Entra have the issuer of their tenant",
        ),
        ("issuer = \"https://a.example\"\nclient_id = \"a\"\nallowed_domains = []", "with an empty `allowed_domains`"),
        ("issuer = \"https://a.example\"\nclient_id = \"a\"\nallowed_domains = [\"@a.example\"]", "this is no domain"),
        ("issuer = \"https://a.example\"\nclient_id = \"a\"\nformat = \"form\"", "`format` is for a login service"),
        ("issuer = \"https://a.example\"\nclient_id = \"a\"\nca = \"absent.pem\"", "absent.pem"),
    ] {
        let errors = with(login).err().unwrap_or_else(|| panic!("{login} loads"));
        assert!(errors.to_string().contains(problem), "{login}\n{errors}");
    }
}

#[test]
fn no_local_user_can_have_the_name_of_a_provider_s() {
    let user = format!("[[users]]\nname = \"https://a.example#1\"\npassword_hash = \"{}\"\n", demo::PASSWORD_HASH);
    let errors = Folder::new(&[("gateway.toml", &format!("{SMALL}{user}"))]).load().err().unwrap();
    assert!(errors.to_string().contains("this cannot be the name of a user"), "{errors}");
}
