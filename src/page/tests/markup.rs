//! HTML taken apart, as far as the tests need it: the pages are written with quoted attributes only.

/// A start or end tag, and the text that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// `input`, `/form`.
    pub(super) name: String,
    /// As written, still escaped.
    pub(super) attributes: Vec<(String, String)>,
    /// Up to the next tag.
    pub(super) text: String,
}

impl Piece {
    /// The value of an attribute.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The tag without what the page was made of: its name and those of its attributes.
    pub(super) fn shape(&self) -> (&str, Vec<&str>) {
        (&self.name, self.attributes.iter().map(|(key, _)| key.as_str()).collect())
    }
}

/// Takes `html` apart.
pub(super) fn pieces(html: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let name_end = rest.find([' ', '\n', '>', '\t']).unwrap();
        let name = rest[..name_end].to_owned();
        rest = &rest[name_end..];
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix("/>").or_else(|| rest.strip_prefix('>')) {
                rest = after;
                break;
            }
            let end = rest.find(['=', ' ', '\n', '>']).unwrap();
            let key = rest[..end].to_owned();
            rest = &rest[end..];
            let value = if let Some(after) = rest.strip_prefix("=\"") {
                let end = after.find('"').unwrap();
                rest = &after[end + 1..];
                after[..end].to_owned()
            } else {
                assert!(!rest.starts_with('='), "an attribute without quotes: {key}");
                String::new()
            };
            attributes.push((key, value));
        }
        let text = rest[..rest.find('<').unwrap_or(rest.len())].to_owned();
        assert!(!text.contains('>'), "{text}");
        found.push(Piece { name, attributes, text });
    }
    found
}
