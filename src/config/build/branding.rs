//! `[branding]`: what the pages that people see look like.

use crate::config::file::Node;
use crate::config::keys::BRANDING;
use crate::config::section::Section;
use crate::page::Branding;
use bytes::Bytes;
use std::io::Read;
use std::path::Path;

/// The longest file that is taken for a logo: every node keeps it in memory, every browser loads it.
const MAX_SIZE: u64 = 256 * 1024;

/// Reads `[branding]`.
pub(super) fn build(root: &Section<'_>) -> Branding {
    let section = root.section("branding", BRANDING);
    let (name, colour) = (section.text_or_default("name"), section.text_or_default("colour"));
    if let Some(node) = section.node("name").filter(|_| !Branding::is_name(name)) {
        let help = "1 to 80 characters, none of them invisible, no space at its ends";
        section.report.problem(&node.at, "`name` in `[branding]` cannot be shown as it stands", help);
    }
    if let Some(node) = section.node("colour").filter(|_| !Branding::is_colour(colour)) {
        section.report.problem(&node.at, "`colour` in `[branding]` is no colour", "write \"#rrggbb\": \"#2451c7\"");
    }
    let logo = section.node("logo").zip(section.text("logo"));
    Branding {
        name: name.to_owned(),
        logo: logo.and_then(|(node, path)| logo_from(&section, node, path)),
        colour: colour.to_owned(),
    }
}

fn logo_from(section: &Section<'_>, node: &Node, path: &str) -> Option<(Bytes, &'static str)> {
    let path = node.at.path().parent().unwrap_or(Path::new("")).join(path);
    let content = match read(&path) {
        Ok(content) => content,
        Err(error) => {
            let message = format!("the logo cannot be read from {}: {error}", path.display());
            let help = "the path is relative to this file; the gateway must be able to read it";
            section.report.problem(&node.at, message, help);
            return None;
        }
    };
    let media_type = media_type(&content);
    if media_type.is_none() {
        let help = "PNG, JPEG, WebP, or SVG with xmlns=\"http://www.w3.org/2000/svg\"";
        section.report.problem(&node.at, format!("{} is no image that can be shown", path.display()), help);
    }
    media_type.map(|media_type| (content.into(), media_type))
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    std::fs::File::open(path)?.take(MAX_SIZE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_SIZE {
        return Err(std::io::Error::other("larger than 256 KiB"));
    }
    Ok(content)
}

/// What `content` is, by its first octets: the name of a file says nothing.
fn media_type(content: &[u8]) -> Option<&'static str> {
    match content {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        text => std::str::from_utf8(text).ok().filter(|text| is_svg(text)).map(|_| "image/svg+xml"),
    }
}

/// Without its namespace an SVG is not shown.
fn is_svg(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let begins = ["<svg", "<?xml", "<!--", "<!DOCTYPE svg"].iter().any(|start| text.starts_with(start));
    begins && text.contains("<svg") && text.contains("http://www.w3.org/2000/svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_its_contents() {
        for (content, expected) in [
            (&b"\x89PNG\r\n\x1a\nx"[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"RIFF\x01\x02\x03\x04WEBPVP8 ", Some("image/webp")),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", Some("image/svg+xml")),
            (b"\xef\xbb\xbf <?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", Some("image/svg+xml")),
            (b"<svg/>", None),
            (b"<!doctype html><svg xmlns='http://www.w3.org/2000/svg'/>", None),
            (b"RIFF\x01\x02\x03\x04WAVE", None),
            (b"GIF89a", None),
            (b"\x89PNG", None),
            (b"\xff", None),
            (b"", None),
        ] {
            assert_eq!(media_type(content), expected, "{content:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_an_image_or_none(content in proptest::collection::vec(proptest::num::u8::ANY, 0..40)) {
            let _ = media_type(&content);
        }
    }
}
