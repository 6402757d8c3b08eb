//! The colour of the brand, made legible: darker on light surfaces, lighter on dark ones, until text
//! has the contrast that WCAG 2 AA asks for.

/// What WCAG 2 AA asks of text, and a little for rounding on screens.
const LEGIBLE: f64 = 4.55;

/// The darkest of the light surfaces and the lightest of the dark ones that the accent stands on.
const LIGHT_SURFACE: Colour = Colour([0xf3, 0xf4, 0xf6]);
const DARK_SURFACE: Colour = Colour([0x22, 0x28, 0x33]);

const WHITE: Colour = Colour([0xff; 3]);
const BLACK: Colour = Colour::BLACK;

/// A colour of sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour([u8; 3]);

/// The accents of the two schemes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accents {
    /// On light surfaces.
    pub(super) light: Accent,
    /// On dark ones.
    pub(super) dark: Accent,
}

/// The accent of one scheme.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accent {
    /// Links, focus, ticks, and the edge of the main button.
    pub(super) colour: Colour,
    /// The main button: the colour as it was chosen.
    pub(super) fill: Colour,
    /// Text on it.
    pub(super) ink: Colour,
    /// The main button under a pointer.
    pub(super) hover: Colour,
}

impl Colour {
    /// Black.
    pub(super) const BLACK: Self = Self([0; 3]);

    /// Reads `#rrggbb`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        if !digits.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return None;
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self([red, green, blue]))
    }

    /// `#rrggbb`.
    pub(super) fn css(self) -> String {
        let Self([red, green, blue]) = self;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// `percent` of the way to `other`.
    fn towards(self, other: Self, percent: u8) -> Self {
        let mix = |from: u8, to: u8| {
            let sum = u32::from(from) * (100 - u32::from(percent)) + u32::from(to) * u32::from(percent);
            u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX)
        };
        let Self([red, green, blue]) = self;
        let Self([to_red, to_green, to_blue]) = other;
        Self([mix(red, to_red), mix(green, to_green), mix(blue, to_blue)])
    }

    /// The relative luminance of WCAG 2.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126f64.mul_add(red, 0.7152f64.mul_add(green, 0.0722 * blue))
    }

    /// The contrast ratio of WCAG 2: from 1 to 21.
    pub(super) fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance() + 0.05, other.luminance() + 0.05);
        if one > two { one / two } else { two / one }
    }

    /// The nearest colour on the way to `end` that can be read on `surface`.
    fn legible(self, surface: Self, end: Self) -> Self {
        let steps = (0..=100).map(|percent| self.towards(end, percent));
        steps.into_iter().find(|colour| colour.contrast(surface) >= LEGIBLE).unwrap_or(end)
    }

    /// The accents of this colour.
    pub(super) fn accents(self) -> Accents {
        // One of the two is always legible: their contrasts multiply to 21.
        let (ink, away) = if self.contrast(WHITE) >= LEGIBLE { (WHITE, BLACK) } else { (BLACK, WHITE) };
        let of = |colour| Accent { colour, fill: self, ink, hover: self.towards(away, 14) };
        Accents { light: of(self.legible(LIGHT_SURFACE, BLACK)), dark: of(self.legible(DARK_SURFACE, WHITE)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_colour_is_six_digits() {
        assert_eq!(Colour::parse("#2f5BD0"), Some(Colour([0x2f, 0x5b, 0xd0])));
        for text in ["", "#", "2f5bd0", "#2f5bd", "#2f5bd00", "#2f5bdg", "#+f5bd0", "red", "#2f5bd0;", "#ää0"] {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
        assert_eq!(Colour([1, 2, 255]).css(), "#0102ff");
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 0.01);
        assert!((Colour([0x76; 3]).contrast(WHITE) - 4.54).abs() < 0.01);
    }

    #[test]
    fn a_colour_that_is_legible_is_not_changed() {
        assert_eq!(Colour([0x1f, 0x4f, 0xc4]).accents().light.colour, Colour([0x1f, 0x4f, 0xc4]));
    }

    proptest! {
        #[test]
        fn any_colour_becomes_legible(channels: [u8; 3]) {
            let Accents { light, dark } = Colour(channels).accents();
            for (accent, surfaces) in [(light, [LIGHT_SURFACE, WHITE]), (dark, [DARK_SURFACE, BLACK])] {
                for surface in surfaces {
                    prop_assert!(accent.colour.contrast(surface) >= 4.5, "{:?}", accent);
                }
                prop_assert!(accent.ink.contrast(accent.fill) >= 4.5 && accent.ink.contrast(accent.hover) >= 4.5);
            }
        }

        #[test]
        fn any_text_is_a_colour_or_none(text in "#?.{0,8}") {
            let _ = Colour::parse(&text);
        }
    }
}
