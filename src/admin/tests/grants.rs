//! Grants, listed and ended over the API.

use super::{admin, call, issue};
use serde_json::{Value, json as value};

async fn grants(admin: &super::Admin, query: &str) -> Vec<Value> {
    let (status, answer) = call(admin, "GET", &format!("/grants{query}"), Value::Null).await;
    assert_eq!(status, 200, "{answer}");
    answer["grants"].as_array().unwrap().clone()
}

/// UI-10
#[tokio::test]
async fn grants_are_listed_and_ended_and_then_there_are_none() {
    let admin = admin();
    let (token, _) = issue(&admin, "notes:read").await;
    issue(&admin, "notes:write").await;
    let listed = grants(&admin, "").await;
    assert_eq!(listed.len(), 1);
    let members: Vec<&String> = listed[0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["client", "client_name", "last_used", "scope", "since", "subject", "until"]);
    assert_eq!((&listed[0]["subject"], &listed[0]["client"]), (&value!("alice"), &value!("reporter")));
    let scope = listed[0]["scope"].as_str().unwrap();
    assert!(scope.contains("notes:read") && scope.contains("notes:write"));
    for (query, count) in
        [("?subject=ALICE", 1), ("?client=reporter&subject=alice", 1), ("?subject=bob", 0), ("?client=robot", 0)]
    {
        assert_eq!(grants(&admin, query).await.len(), count, "{query}");
    }
    for query in ["?subject=bob", "?client=robot", "?client=robot&subject=alice"] {
        assert_eq!(call(&admin, "DELETE", &format!("/grants{query}"), Value::Null).await.0, 404, "{query}");
    }
    let (status, ended) = call(&admin, "DELETE", "/grants?subject=Alice", Value::Null).await;
    assert_eq!((status, ended), (200, value!({ "ended": 1, "revoked": 2, "next": null })));
    assert_eq!(call(&admin, "POST", "/tokens/inspect", value!({ "token": token })).await.0, 404);
    assert_eq!(call(&admin, "DELETE", "/grants?subject=alice", Value::Null).await.0, 404);
    assert!(grants(&admin, "").await.is_empty());
}

#[tokio::test]
async fn a_request_about_grants_says_whose_in_words_that_are_known() {
    let admin = admin();
    issue(&admin, "notes:read").await;
    for (method, query, status) in [
        ("DELETE", "", 400),
        ("DELETE", "?limit=1", 400),
        ("DELETE", "?subject=", 400),
        ("DELETE", "?client=", 400),
        ("DELETE", "?client=reporter&subject=", 400),
        ("DELETE", "?client&subject=alice", 400),
        ("DELETE", "?user=alice", 400),
        ("GET", "?user=alice", 400),
        ("GET", "?limit=0", 400),
        ("GET", "?limit=1001", 400),
        ("GET", "?after=%FF", 400),
        ("GET", "?after=A", 400),
        ("GET", "?after=", 400),
        ("GET", "?after=zz", 200),
        ("POST", "", 405),
        ("GET", "/alice", 404),
    ] {
        let path = format!("/grants{query}");
        assert_eq!(call(&admin, method, &path, Value::Null).await.0, status, "{method} {path}");
    }
    assert_eq!(grants(&admin, "").await.len(), 1);
}

#[tokio::test]
async fn grants_are_read_and_ended_page_by_page() {
    let admin = admin();
    for name in ["carol", "dave", "erin"] {
        call(&admin, "POST", "/users", value!({ "name": name, "password": "open sesame" })).await;
        let order = value!({ "client": "reporter", "subject": name, "scope": "notes:read" });
        assert_eq!(call(&admin, "POST", "/tokens", order).await.0, 201);
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("/grants?limit=1&client=reporter{after}");
        let (_, page) = call(&admin, "GET", &path, Value::Null).await;
        seen.extend(page["grants"].as_array().unwrap().iter().map(|grant| grant["subject"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    seen.sort_by_key(ToString::to_string);
    assert_eq!(seen, ["carol", "dave", "erin"]);
    let (_, first) = call(&admin, "DELETE", "/grants?limit=2&client=reporter", Value::Null).await;
    assert_eq!((&first["ended"], &first["revoked"]), (&value!(2), &value!(2)));
    let path = format!("/grants?limit=2&client=reporter&after={}", first["next"].as_str().unwrap());
    let (status, last) = call(&admin, "DELETE", &path, Value::Null).await;
    assert_eq!((status, last), (200, value!({ "ended": 1, "revoked": 1, "next": null })));
    // Whoever goes on where others have ended the rest has failed at nothing.
    assert_eq!(call(&admin, "DELETE", &path, Value::Null).await.0, 200);
    assert!(grants(&admin, "").await.is_empty());
}
