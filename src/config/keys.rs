//! Every key that the configuration knows, what it takes and what it is for: the one table from
//! which files are checked, defaults are taken and the schema is written.

/// What a key takes.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// `true` or `false`.
    Boolean,
    /// `true` or `false`, or this.
    BooleanOr(&'static Kind),
    /// One of these words; the others belong to a later version.
    Choice(&'static [&'static str], &'static [&'static str]),
    /// A duration between these two.
    Duration(&'static str, &'static str),
    /// A whole number between these two.
    Integer(i64, i64),
    /// Belongs to a later version: what to do instead.
    Later(&'static str),
    /// A list.
    List(&'static Kind),
    /// A table whose keys are names that the file chooses.
    Named(&'static Kind),
    /// What a route needs: see `build::access`.
    RouteScopes,
    /// A size between these two.
    Size(&'static str, &'static str),
    /// A table with these keys.
    Table(&'static [Key]),
    /// Any text.
    Text,
    /// Text, or this.
    TextOr(&'static Kind),
}

/// A key of a table.
#[derive(Clone, Copy)]
pub(super) struct Key {
    /// As it is written.
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    /// What it is for.
    pub(super) about: &'static str,
    /// It must be there.
    pub(super) required: bool,
    /// What holds when it is not there, as it would be written.
    pub(super) default: Option<&'static str>,
}

const fn key(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { name, kind, about, required: false, default: None }
}

const fn later(name: &'static str, about: &'static str, instead: &'static str) -> Key {
    key(name, Kind::Later(instead), about)
}

impl Key {
    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }
}

const TEXTS: Kind = Kind::List(&Kind::Text);
/// A string, or a list of strings.
const WORDS: Kind = Kind::TextOr(&TEXTS);
const SHORT: Kind = Kind::Duration("1ms", "1h");
const LONG: Kind = Kind::Duration("1s", "3650d");
const UPGRADE: Kind = Kind::BooleanOr(&WORDS);
const KEEP: Kind = Kind::Choice(&["refuse", "keep"], &[]);
const PKCE: Kind = Kind::Choice(&["required", "optional"], &[]);
const PAR: Kind = Kind::Choice(&["optional", "required"], &[]);
const FORWARDED: Kind = Kind::Choice(&["both", "x-forwarded", "forwarded", "none"], &[]);
const PARAMETERS: Kind = Kind::List(&Kind::Choice(&["for", "proto", "host"], &[]));
const METHODS: Kind = Kind::List(&Kind::Choice(&["header", "form", "query"], &[]));

/// What to do about most keys of a later version.
const REMOVE: &str = "remove it";

/// The file.
pub(super) const ROOT: &[Key] = &[
    key("include", TEXTS, "Further files: their routes, resources, scopes, clients, users and upstreams are added."),
    key("server", Kind::Table(SERVER), "Where requests come in.").required(),
    key("telemetry", Kind::Table(TELEMETRY), "Probes, metrics and the log."),
    key("admin", Kind::Table(ADMIN), "The operator's API."),
    key("store", Kind::Table(STORE), "Where tokens are remembered."),
    key("cache", Kind::Table(CACHE), "The cache in front of the store."),
    key("bearer", Kind::Table(BEARER), "How tokens are sent (RFC 6750)."),
    key("oauth", Kind::Table(OAUTH), "The token endpoints of the gateway itself."),
    key("limits", Kind::Table(LIMITS), "Bounds on what a client may send and how long it may take."),
    key("scopes", SCOPES, "Every scope that exists, with the words for the resource owner."),
    key("clients", CLIENTS, "Who may ask for tokens."),
    key("users", USERS, "Resource owners."),
    key("upstreams", UPSTREAMS, "The servers behind the gateway."),
    key("routes", ROUTES, "Which requests pass, where they go, and what they need."),
    key("resources", RESOURCES, "Resources with metadata and audiences of their own (RFC 8707, RFC 9728)."),
    later("issuers", "Tokens of other authorization servers.", REMOVE),
    key(
        "users_file",
        Kind::Text,
        "Users in a file of their own: htpasswd (bcrypt, argon2id), or TOML with `[[users]]`.",
    ),
    key("branding", Kind::Table(BRANDING), "The look of the pages that people see."),
    key("login", Kind::Table(LOGIN), "An existing login service that checks passwords, or an OpenID Connect provider."),
];

/// The sections that an included file may have.
pub(super) const INCLUDED: &[&str] = &["scopes", "clients", "users", "upstreams", "routes", "resources"];

const SCOPES: Kind = Kind::Named(&Kind::TextOr(&Kind::Table(SCOPE)));
const CLIENTS: Kind = Kind::List(&Kind::Table(CLIENT));
const USERS: Kind = Kind::List(&Kind::Table(USER));
const UPSTREAMS: Kind = Kind::Named(&Kind::Table(UPSTREAM));
const ROUTES: Kind = Kind::List(&Kind::Table(ROUTE));
const RESOURCES: Kind = Kind::List(&Kind::Table(RESOURCE));

/// `[server]`.
pub(super) const SERVER: &[Key] = &[
    key("listen", WORDS, "An address and port, `unix:PATH`, or a list of them.").required(),
    key("public_url", Kind::Text, "What clients see: the issuer, and the base of every URL handed out.").required(),
    key("workers", Kind::Integer(1, 1024), "Threads that serve requests; one a core unless given."),
    key("behind_tls", Kind::Boolean, "A TLS terminator or a mesh stands in front.").default("false"),
    key("trusted_proxies", TEXTS, "Networks whose forwarding fields are believed; \"unix\" for unix-socket peers."),
    key("forwarded", FORWARDED, "Which fields tell upstreams where a request comes from.").default("both"),
    key("forwarded_parameters", PARAMETERS, "What `Forwarded` says, of `for`, `proto` and `host`; all unless given."),
    key("shutdown_grace", Kind::Duration("0s", "1h"), "How long requests in flight may take after SIGTERM.")
        .default("30s"),
    key("tls", Kind::Table(SERVER_TLS), "TLS 1.2 and 1.3 on every TCP listener."),
    key("hsts", Kind::Duration("0s", "3650d"), "Strict-Transport-Security of the gateway's own answers over https."),
    key("proxy_protocol", Kind::Boolean, "`trusted_proxies` send the PROXY protocol, version 1 or 2.").default("false"),
];

/// `[server] tls`.
pub(super) const SERVER_TLS: &[Key] = &[
    key("cert", Kind::Text, "The certificate and its chain, PEM; for clients that ask for no name or an unknown one.")
        .required(),
    key("key", Kind::Text, "The key of the certificate, PEM.").required(),
    key("client_ca", Kind::Text, "Only clients with a certificate of these authorities are let in."),
    key("certificates", Kind::List(&Kind::Table(CERTIFICATE)), "Further ones, chosen by the name asked for (SNI)."),
];

/// `[[server.tls.certificates]]`.
pub(super) const CERTIFICATE: &[Key] = &[
    key("cert", Kind::Text, "The certificate and its chain, PEM.").required(),
    key("key", Kind::Text, "The key of the certificate, PEM.").required(),
];

/// `[telemetry]`.
pub(super) const TELEMETRY: &[Key] = &[
    key("listen", Kind::Text, "Where /livez, /readyz and /metrics are served."),
    key("log", Kind::Text, "The filter of the log; RUST_LOG overrides it.").default("info"),
    key("log_format", Kind::Choice(&["auto", "pretty", "json"], &[]), "How the log is written.").default("auto"),
];

/// `[admin]`.
pub(super) const ADMIN: &[Key] = &[key("listen", Kind::Text, "`unix:PATH`, or an address and port.")];

/// `[store]`.
pub(super) const STORE: &[Key] = &[
    key(
        "url",
        Kind::Text,
        "`redb:PATH`, `memory:`, or a Redis: `redis`, `rediss`, `redis+unix`, `+sentinel`, `+cluster`.",
    )
    .default("redb:data/tollgate.redb"),
    key("key_prefix", Kind::Text, "What stands in front of every key, where several gateways share a Redis.")
        .default(""),
    key("ca", Kind::Text, "A file with the certification authorities that are believed; else the system's."),
    key("cert", Kind::Text, "The gateway's own certificate, for a Redis that asks for one."),
    key("key", Kind::Text, "Its key."),
    key(
        "server_name",
        Kind::Text,
        "The name that the certificate of each Redis must have; else the host of its address.",
    ),
    key("timeout", Kind::Duration("1ms", "60s"), "How long one operation may take.").default("1s"),
    key("feed_timeout", Kind::Duration("100ms", "60s"), "How long the store is trusted after its last sign of life.")
        .default("2s"),
];

/// `[cache]`.
pub(super) const CACHE: &[Key] = &[
    key("max_size", Kind::Size("1KiB", "1024GiB"), "The bytes of cached tokens.").default("64MiB"),
    key("ttl", Kind::Duration("0s", "1d"), "The longest that an answer is used without asking the store.")
        .default("60s"),
    key("on_store_outage", Kind::Choice(&["deny", "serve-cached"], &[]), "What holds while the store is out.")
        .default("deny"),
];

/// `[bearer]`.
pub(super) const BEARER: &[Key] = &[
    key("methods", METHODS, "Where a token may stand (RFC 6750 sections 2.1 to 2.3); only the header unless given."),
    key("realm", Kind::Text, "The realm of challenges.").default("tollgate"),
    key("recheck", Kind::Duration("0s", "1h"), "How often the token of a long exchange is checked again; 0s: never.")
        .default("30s"),
];

/// `[oauth]`.
pub(super) const OAUTH: &[Key] = &[
    key("path", Kind::Text, "Where the gateway's own endpoints live.").default("/oauth2"),
    key("access_token_ttl", LONG, "The life of an access token.").default("1h"),
    key("refresh_token_ttl", LONG, "The life of a grant as a whole.").default("30d"),
    key("refresh_reuse_grace", Kind::Duration("0s", "10m"), "In this time a lost answer may be asked for again.")
        .default("10s"),
    key("par", PAR, "Whether every authorization request must be pushed (RFC 9126).").default("optional"),
    key("registration", Kind::Choice(&["closed", "token", "open"], &[]), "Who may register clients (RFC 7591).")
        .default("closed"),
    key("registration_scopes", WORDS, "The most that such clients can get; else all scopes that are not restricted."),
    key("registration_ttl", LONG, "A registration that nobody has used for so long ends.").default("1d"),
    key("device_code_ttl", Kind::Duration("10s", "1d"), "How long a device may wait for its user (RFC 8628).")
        .default("10m"),
    key("device_interval", Kind::Duration("1s", "10m"), "How long a device waits between two polls.").default("5s"),
    key("pkce", PKCE, "Whether confidential clients that do not say need a code challenge (RFC 7636).")
        .default("required"),
    key("authorization_code_ttl", Kind::Duration("1s", "10m"), "How long an authorization code may wait.")
        .default("60s"),
    key("session_ttl", Kind::Duration("1m", "365d"), "How long a sign-in lasts.").default("8h"),
    key("session_idle", Kind::Duration("1m", "365d"), "How long a sign-in lasts without a request.").default("1h"),
];

/// `[branding]`.
pub(super) const BRANDING: &[Key] = &[
    key("name", Kind::Text, "The product's name.").default("Tollgate"),
    key("logo", Kind::Text, "A file beside this one: PNG, JPEG, WebP or SVG; 256 KiB at most."),
    key("colour", Kind::Text, "`#rrggbb`: of buttons; where it could not be read, darker or lighter.")
        .default("#2451c7"),
];

/// `[limits]`.
pub(super) const LIMITS: &[Key] = &[
    key("head_timeout", SHORT, "408: the head of a request did not arrive.").default("10s"),
    key("body_timeout", SHORT, "408: a body made no progress.").default("30s"),
    key("idle_timeout", SHORT, "A connection without a request is closed.").default("60s"),
    key("tunnel_idle_timeout", Kind::Duration("1s", "7d"), "A WebSocket on which nothing comes either way is closed.")
        .default("1h"),
    key("head_size", Kind::Size("1KiB", "1MiB"), "431 beyond.").default("32KiB"),
    key("head_fields", Kind::Integer(1, 1024), "431 beyond.").default("100"),
    key("target_size", Kind::Size("64B", "1MiB"), "414 beyond.").default("16KiB"),
    key("form_body", Kind::Size("1B", "16MiB"), "413 beyond, where a form is searched for a token.").default("64KiB"),
    key("connections", Kind::Integer(1, 1_000_000), "Further ones wait to be accepted.").default("10000"),
    key("failed_logins", Kind::Table(FAILED_LOGINS), "429 beyond: failures by client or user and address."),
    key("registrations", Kind::Table(REGISTRATIONS), "429 beyond: clients that register themselves from one address."),
    key("registered_clients", Kind::Integer(1, 10_000_000), "429 beyond: clients in the store.").default("10000"),
];

/// `[limits] registrations`.
pub(super) const REGISTRATIONS: &[Key] = &[
    key("max", Kind::Integer(1, 1_000_000), "This many clients …").default("20"),
    key("per", Kind::Duration("1s", "1d"), "… in this time.").default("1h"),
];

/// `[limits] failed_logins`.
pub(super) const FAILED_LOGINS: &[Key] = &[
    key("max", Kind::Integer(1, 1_000_000), "This many failures …").default("10"),
    key("per", Kind::Duration("1s", "1d"), "… in this time.").default("60s"),
];

/// A line of `[scopes]` in full.
pub(super) const SCOPE: &[Key] = &[
    key("text", Kind::Text, "What it allows, in the words of the resource owner.").default(""),
    key("implies", WORDS, "Scopes that whoever has this one has too."),
    key("restricted", Kind::Boolean, "Not for clients that registered themselves.").default("false"),
];

/// The grants of a client, and those of a later version.
pub(super) const GRANTS: Kind = Kind::Choice(
    &[
        "authorization_code",
        "client_credentials",
        "device_code",
        "password",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
    ],
    &["token_exchange", "urn:ietf:params:oauth:grant-type:token-exchange"],
);

/// The path of one of `[[resources]]`, or whether it is all.
const INTROSPECT: Kind = Kind::TextOr(&Kind::Boolean);

/// `[[clients]]`.
pub(super) const CLIENT: &[Key] = &[
    key("id", Kind::Text, "The client identifier (RFC 6749 section 2.2).").required(),
    key("name", Kind::Text, "What people see."),
    key("secret", WORDS, "`env:NAME`, `file:PATH` or the secret; two while it is changed; none: a public client."),
    key("secret_hash", WORDS, "What `tollgate client new` or `tollgate hash` prints; two while it is changed."),
    key("grants", Kind::List(&GRANTS), "How it may ask for tokens."),
    key("redirect_uris", TEXTS, "RFC 6749 section 3.1.2; a loopback address takes any port."),
    key("scopes", WORDS, "The most it can get."),
    key("default_scopes", WORDS, "What it gets when it asks for nothing; else all of `scopes`."),
    key(
        "introspect",
        INTROSPECT,
        "Whose tokens it may introspect: everybody's, or those for the resource at this path.",
    )
    .default("false"),
    key("par", PAR, "Whether its authorization requests must be pushed (RFC 9126).").default("optional"),
    key("pkce", PKCE, "Whether it needs a code challenge; a client without a secret always does."),
    key("immediate_error_redirect", Kind::Boolean, "Its error redirects do not wait for the sign-in.").default("false"),
    later("dpop_bound_access_tokens", "DPoP (RFC 9449).", REMOVE),
    later("tls_client_certificate_bound_access_tokens", "Mutual TLS (RFC 8705).", REMOVE),
    later("jwks", "Authentication by a signed assertion (RFC 7523).", "give the client a `secret`"),
    later("jwks_uri", "Authentication by a signed assertion (RFC 7523).", "give the client a `secret`"),
    later("token_endpoint_auth_method", "A fixed way to authenticate.", "remove it: HTTP Basic and the form are taken"),
];

/// `[[users]]`.
pub(super) const USER: &[Key] = &[
    key("name", Kind::Text, "The user's name; upper and lower case are one.").required(),
    key("password_hash", Kind::Text, "What `tollgate hash` prints; or bcrypt.").required(),
    key("scopes", WORDS, "The most the user can grant; all unless given."),
];

/// `[login]`.
pub(super) const LOGIN: &[Key] = &[
    key("url", Kind::Text, "Where names and passwords are posted: https, or http on loopback."),
    key("format", Kind::Choice(&["json", "form"], &[]), "How they are sent.").default("json"),
    key("timeout", Kind::Duration("100ms", "1m"), "503 beyond.").default("5s"),
    key("ca", Kind::Text, "A file with the certification authorities that are believed; else the system's."),
    key("issuer", Kind::Text, "An OpenID Connect provider where people sign in, as it writes itself."),
    key("client_id", Kind::Text, "What the gateway is called at the provider."),
    key("client_secret", Kind::Text, "Its secret there: `env:NAME`, `file:PATH`, or the secret itself."),
    key("scopes", WORDS, "What the provider is asked for.").default("openid profile email"),
    key("subject_claim", Kind::Text, "The claim that says who it is.").default("sub"),
    key("name", Kind::Text, "What the button says; else the provider's host."),
    key("allowed_domains", TEXTS, "Only people with a verified address of one of these domains."),
    key("allowed_subjects", TEXTS, "Only people with one of these values of the claim."),
    key(
        "sign_out",
        Kind::Choice(&["here", "provider"], &[]),
        "Where signing out ends a session: here alone, or there too.",
    )
    .default("here"),
    key("passwords", Kind::Boolean, "The sign-in page asks for a name and a password too.").default("true"),
];

/// A `users_file` of TOML.
pub(super) const USERS_FILE: &[Key] = &[key("users", USERS, "Resource owners.")];

/// A server in full.
pub(super) const UPSTREAM_SERVER: &[Key] = &[
    key("url", Kind::Text, "As it would be written alone.").required(),
    key("weight", Kind::Integer(1, 1000), "Its share of the requests beside those of the others.").default("1"),
];

const SERVERS: Kind = Kind::List(&Kind::TextOr(&Kind::Table(UPSTREAM_SERVER)));

/// `[upstreams.NAME] health`.
pub(super) const HEALTH: &[Key] = &[
    key("path", Kind::Text, "What is asked for, with GET.").required(),
    key("interval", Kind::Duration("100ms", "1h"), "How often.").default("5s"),
    key("timeout", SHORT, "How long an answer may take.").default("1s"),
    key("healthy", Kind::Integer(1, 100), "So many good answers in a row make a server healthy …").default("2"),
    key("unhealthy", Kind::Integer(1, 100), "… and so many bad ones unhealthy.").default("3"),
    key("status", Kind::Text, "The status codes of good answers: \"200-399\", or one.").default("200-399"),
];

/// `[upstreams.NAME] ejection`.
pub(super) const EJECTION: &[Key] = &[
    key("failures", Kind::Integer(1, 1000), "So many requests in a row that fail without a response.").default("5"),
    key("time", Kind::Duration("1s", "1h"), "For how long; doubled each time.").default("10s"),
];

/// `[upstreams.NAME]`.
pub(super) const UPSTREAM: &[Key] = &[
    key(
        "servers",
        SERVERS,
        "`http://HOST:PORT`, `https://HOST:PORT`, `unix:PATH` or `echo:`; or `{ url = \"…\", weight = 2 }`.",
    )
    .required(),
    key("balance", Kind::Choice(&["least-loaded", "round-robin"], &[]), "How a server is chosen.")
        .default("least-loaded"),
    key("connect_timeout", SHORT, "504 beyond.").default("1s"),
    key("response_timeout", SHORT, "504 beyond, until the response's head.").default("30s"),
    key("read_timeout", SHORT, "A response whose content makes no progress for so long is cut off; else never."),
    key("keep_alive", Kind::Duration("0s", "1h"), "How long a connection is kept for the next request.").default("60s"),
    key("resolve", Kind::Duration("1s", "1h"), "How long the addresses of a name are believed.").default("10s"),
    key("connections", Kind::Integer(1, 1_000_000), "Requests under way at once, each with its connection.")
        .default("10000"),
    key("pending", Kind::Integer(0, 1_000_000), "503 beyond: requests that wait for one of these to end.")
        .default("100"),
    key("retries", Kind::Integer(0, 10), "How often a request is tried again where that is safe.").default("1"),
    key("host_header", Kind::Choice(&["client", "upstream"], &[]), "The Host that the upstream sees.")
        .default("client"),
    key("http2", Kind::Boolean, "HTTP/2 to the servers: without TLS by prior knowledge, over TLS by ALPN.")
        .default("false"),
    key("health", Kind::Table(HEALTH), "Servers are asked how they are; one that is not well gets no requests."),
    key("ejection", Kind::BooleanOr(&Kind::Table(EJECTION)), "A server that fails requests gets none for a while.")
        .default("true"),
    key("tls", Kind::Table(UPSTREAM_TLS), "How `https` servers are verified, and what they are shown."),
    later(
        "identity",
        "A signed assertion of identity.",
        "remove it: X-Auth-Subject, X-Auth-Client and X-Auth-Scope are sent",
    ),
];

/// `[upstreams.NAME] tls`.
pub(super) const UPSTREAM_TLS: &[Key] = &[
    key("ca", Kind::Text, "A file with the certification authorities that are believed; else the system's."),
    key("cert", Kind::Text, "The gateway's own certificate, for servers that ask for one."),
    key("key", Kind::Text, "Its key."),
    key("server_name", Kind::Text, "The name that the server's certificate must have; else the host of its URL."),
    key("verify", Kind::Boolean, "Whether the server is verified; a warning at each start where it is not.")
        .default("true"),
];

/// `[[routes]]`.
pub(super) const ROUTE: &[Key] = &[
    key("path", Kind::Text, "`/notes/{id}`, `/files/{*rest}`.").required(),
    key("host", Kind::Text, "`api.example.com`; `*.example.com` is one label."),
    key("name", Kind::Text, "For logs, metrics and explain; the path unless given."),
    key("upstream", Kind::Text, "A name of `[upstreams]`.").required(),
    key("scopes", Kind::RouteScopes, "What a token needs."),
    key("access", Kind::Choice(&["authenticated", "public"], &[]), "Instead of `scopes`."),
    key("bearer", METHODS, "The ways a token may be sent here; narrower than `[bearer] methods`."),
    key("rewrite", Kind::Text, "The path that the upstream gets: `/internal/{rest}`."),
    key("body_limit", Kind::Size("0B", "1024GiB"), "413 beyond."),
    key("timeout", Kind::Duration("1ms", "1d"), "504: from the request's head to the response's end."),
    key("headers", Kind::Table(HEADERS), "Changes to the fields of requests and responses."),
    key("underscores", TEXTS, "Fields of requests that pass although their names have underscores."),
    key("encoded_slash", KEEP, "Whether %2F may stand in a path.").default("refuse"),
    key("encoded_percent", KEEP, "Whether %25 before two hexadecimal digits may.").default("refuse"),
    key("empty_segments", KEEP, "Whether // may.").default("refuse"),
    key("path_parameters", KEEP, "Whether ; may.").default("refuse"),
    key("case_insensitive_upstream", Kind::Boolean, "`/ADMIN` and `/admin.` are `/admin` for the upstream.")
        .default("false"),
    key("upstream_authorization", Kind::Text, "The upstream's `Authorization`: `env:NAME`, `file:PATH`, or itself."),
    key("upstream_401", Kind::Choice(&["pass", "bad-gateway"], &[]), "What the upstream's 401 becomes.")
        .default("pass"),
    key("report_only", Kind::Boolean, "Decide and log, but let everything pass.").default("false"),
    key("upgrade", UPGRADE, "Whether WebSocket may pass; or which protocols, or \"any\".").default("true"),
    key("cors", Kind::Table(CORS), "Which pages may read its responses; without it the upstream says it."),
    key("rate_limit", Kind::Table(RATE_LIMIT), "429 beyond."),
];

/// `rate_limit` of a route.
pub(super) const RATE_LIMIT: &[Key] = &[
    key("requests", Kind::Integer(1, 1_000_000), "This many requests …").required(),
    key("per", Kind::Duration("1s", "1d"), "… in this time.").required(),
    key("by", Kind::Choice(&["client", "subject", "ip"], &[]), "Who is counted.").default("client"),
    key("burst", Kind::Integer(1, 1_000_000), "This many at once; else as many as `requests`."),
    key("shared", Kind::Boolean, "All nodes of a Redis count together.").default("false"),
];

/// `cors` of a route.
pub(super) const CORS: &[Key] = &[
    key("origins", TEXTS, "`https://app.example.com`, `https://*.example.com`, or `*` for everybody.").required(),
    key("credentials", Kind::Boolean, "Whether cookies and the like may be sent.").default("false"),
    key("methods", TEXTS, "What pages may ask for; else what the route takes."),
    key("headers", TEXTS, "Fields that pages may send beside the usual ones."),
    key("expose", TEXTS, "Fields that pages may read beside the usual ones."),
    key("max_age", Kind::Duration("0s", "1d"), "How long a browser keeps the answer to a preflight.").default("10m"),
];

/// `headers` of a route.
pub(super) const HEADERS: &[Key] = &[
    key("request", Kind::Table(EDITS), "What the upstream gets."),
    key("response", Kind::Table(EDITS), "What the client gets."),
];

/// `headers.request`, `headers.response`.
pub(super) const EDITS: &[Key] = &[
    key("set", Kind::Named(&Kind::Text), "Replaces every field of that name."),
    key("remove", TEXTS, "Names of fields that are left out."),
];

/// `[[resources]]`.
pub(super) const RESOURCE: &[Key] = &[
    key("path", Kind::Text, "The prefix of its paths; `/` for the gateway as a whole.").required(),
    key("name", Kind::Text, "What people see."),
    key("audience", Kind::Choice(&["accepted", "required"], &[]), "Whether a token must be asked for with its URL.")
        .default("accepted"),
    key("mcp", Kind::Boolean, "An MCP server: audience required, header only, `Origin` checked.").default("false"),
    key("origins", TEXTS, "Whose pages may call an MCP server, beside those of `public_url`."),
];
