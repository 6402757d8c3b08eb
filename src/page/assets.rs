//! The files that pages load: the style sheet in the colour of the brand, and the logo. Their names
//! have a digest of their contents, so that a browser keeps them for good and never shows a page
//! with what belongs to another configuration.

use super::colour::{Accent, Accents, Colour};
use super::{Branding, policy};
use crate::secret::Digest;
use bytes::Bytes;
use http::Response;

const STYLE: &str = include_str!("../../templates/style.css");
const MARK: &str = include_str!("../../templates/mark.svg");

/// The name is that of the contents: they never change.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// The name is none, or that of another configuration's.
const FOR_A_MINUTE: &str = "public, max-age=60";

/// The files.
#[derive(Clone, Debug)]
pub(super) struct Assets {
    style: File,
    logo: File,
}

#[derive(Clone, Debug)]
struct File {
    stem: &'static str,
    suffix: &'static str,
    media_type: &'static str,
    content: Bytes,
    digest: String,
}

impl Assets {
    /// The files for `branding`.
    pub(super) fn new(branding: &Branding) -> Self {
        // The configuration has read it already.
        let Accents { light, dark } = Colour::parse(&branding.colour).unwrap_or(Colour::BLACK).accents();
        let style = format!(
            ":root {{ {} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {} }} }}\n{STYLE}",
            properties(light),
            properties(dark)
        );
        let (logo, media_type) = branding.logo.clone().unwrap_or_else(|| (mark(light), "image/svg+xml"));
        Self {
            style: File::new("style", ".css", "text/css; charset=utf-8", style.into()),
            logo: File::new("logo", "", media_type, logo),
        }
    }

    /// The name of the style sheet.
    pub(super) fn style(&self) -> String {
        self.style.name()
    }

    /// The name of the logo.
    pub(super) fn logo(&self) -> String {
        self.logo.name()
    }

    /// The file called `name`: with the digest of its contents, without one, or with that of another
    /// configuration, which a page that was made before a reload, or by another node, asks for.
    pub(super) fn find(&self, name: &str) -> Option<Response<Bytes>> {
        let file = [&self.style, &self.logo].into_iter().find(|file| file.is_called(name))?;
        let caching = if name == file.name() { FOR_GOOD } else { FOR_A_MINUTE };
        let mut response = Response::new(file.content.clone());
        policy::of_asset(response.headers_mut(), file.media_type, caching);
        Some(response)
    }
}

impl File {
    fn new(stem: &'static str, suffix: &'static str, media_type: &'static str, content: Bytes) -> Self {
        let digest = Digest::of(&content).public_id();
        Self { stem, suffix, media_type, content, digest }
    }

    fn name(&self) -> String {
        format!("{}-{}{}", self.stem, self.digest, self.suffix)
    }

    fn is_called(&self, name: &str) -> bool {
        let middle = name.strip_prefix(self.stem).and_then(|rest| rest.strip_suffix(self.suffix));
        middle.is_some_and(|middle| {
            let digest = middle.strip_prefix('-').unwrap_or_default();
            middle.is_empty()
                || digest.len() == self.digest.len() && digest.bytes().all(|octet| octet.is_ascii_hexdigit())
        })
    }
}

fn properties(accent: Accent) -> String {
    let [colour, fill, ink, hover] = [accent.colour, accent.fill, accent.ink, accent.hover].map(Colour::css);
    format!("--accent: {colour}; --fill: {fill}; --fill-ink: {ink}; --fill-hover: {hover};")
}

/// A gate, for a product without a logo: the same on light and on dark, as logos are.
fn mark(accent: Accent) -> Bytes {
    MARK.replace("FILL", &accent.fill.css()).replace("INK", &accent.ink.css()).into()
}
