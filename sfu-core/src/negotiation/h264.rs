//! H264 profiles and levels: the `profile-level-id` parameter (RFC 6184 section 8.1), and the one to answer with.

use crate::parameters::{CodecParameters, ParameterNumber, ParameterValue};

/// The parameter's name.
pub(super) const PROFILE_LEVEL_ID: &str = "profile-level-id";

/// What stands when the parameter is missing. RFC 6184 says Baseline level 1; every WebRTC endpoint takes this instead.
const DEFAULT: ProfileLevelId = ProfileLevelId { profile: Profile::ConstrainedBaseline, level: Level::L3_1 };

/// A parsed `profile-level-id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProfileLevelId {
    profile: Profile,
    level: Level,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    ConstrainedHigh,
    High,
    PredictiveHigh444,
}

/// A level, in rising order; the discriminant is its `level_idc`, but for 1b, which shares that of 1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    L1,
    L1b,
    L1_1,
    L1_2,
    L1_3,
    L2,
    L2_1,
    L2_2,
    L3,
    L3_1,
    L3_2,
    L4,
    L4_1,
    L4_2,
    L5,
    L5_1,
    L5_2,
}

/// The `level_idc` of each level (H.264 table A-1). That of 1b is 11 as well, told apart by a constraint flag.
const LEVEL_IDC: [(u8, Level); 16] = [
    (10, Level::L1),
    (11, Level::L1_1),
    (12, Level::L1_2),
    (13, Level::L1_3),
    (20, Level::L2),
    (21, Level::L2_1),
    (22, Level::L2_2),
    (30, Level::L3),
    (31, Level::L3_1),
    (32, Level::L3_2),
    (40, Level::L4),
    (41, Level::L4_1),
    (42, Level::L4_2),
    (50, Level::L5),
    (51, Level::L5_1),
    (52, Level::L5_2),
];

/// With `level_idc` 11, this flag of `profile_iop` says level 1b (RFC 6184 section 8.1, constraint_set3_flag).
const CONSTRAINT_SET3: u8 = 0x10;

/// `profile_idc`, the bits of `profile_iop` that count, and what they must be (RFC 6184 table 5).
const PROFILES: [(u8, u8, u8, Profile); 9] = [
    (0x42, 0b0100_1111, 0b0100_0000, Profile::ConstrainedBaseline),
    (0x4d, 0b1000_1111, 0b1000_0000, Profile::ConstrainedBaseline),
    (0x58, 0b1100_1111, 0b1100_0000, Profile::ConstrainedBaseline),
    (0x42, 0b0100_1111, 0b0000_0000, Profile::Baseline),
    (0x58, 0b1100_1111, 0b1000_0000, Profile::Baseline),
    (0x4d, 0b1010_1111, 0b0000_0000, Profile::Main),
    (0x64, 0b1111_1111, 0b0000_0000, Profile::High),
    (0x64, 0b1111_1111, 0b0000_1100, Profile::ConstrainedHigh),
    (0xf4, 0b1111_1111, 0b0000_0000, Profile::PredictiveHigh444),
];

impl ProfileLevelId {
    /// Reads six hexadecimal digits: `profile_idc`, `profile_iop`, `level_idc`.
    fn parse(text: &str) -> Option<Self> {
        if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let [_, idc, iop, level_idc] = u32::from_str_radix(text, 16).ok()?.to_be_bytes();
        let level = match LEVEL_IDC.into_iter().find(|(known, _)| *known == level_idc)?.1 {
            Level::L1_1 if iop & CONSTRAINT_SET3 != 0 => Level::L1b,
            level => level,
        };
        PROFILES
            .into_iter()
            .find(|(known, mask, value, _)| *known == idc && iop & mask == *value)
            .map(|(.., profile)| Self { profile, level })
    }

    /// The profile and level of a codec; `None` when the parameter is there and makes no sense.
    pub(super) fn of(parameters: &CodecParameters) -> Option<Self> {
        match given(parameters) {
            None => Some(DEFAULT),
            Some(ParameterValue::Text(text)) => Self::parse(text),
            Some(_) => None,
        }
    }

    /// The canonical six digits; `None` for level 1b in a profile that has none.
    fn to_text(self) -> Option<String> {
        if self.level == Level::L1b {
            return match self.profile {
                Profile::ConstrainedBaseline => Some("42f00b".to_owned()),
                Profile::Baseline => Some("42100b".to_owned()),
                Profile::Main => Some("4d100b".to_owned()),
                Profile::ConstrainedHigh | Profile::High | Profile::PredictiveHigh444 => None,
            };
        }
        let profile = match self.profile {
            Profile::ConstrainedBaseline => "42e0",
            Profile::Baseline => "4200",
            Profile::Main => "4d00",
            Profile::ConstrainedHigh => "640c",
            Profile::High => "6400",
            Profile::PredictiveHigh444 => "f400",
        };
        let (level_idc, _) = LEVEL_IDC.into_iter().find(|(_, level)| *level == self.level)?;
        Some(format!("{profile}{level_idc:02x}"))
    }
}

/// The `profile-level-id` to answer an offer with; the inner `None` is to leave the parameter out.
///
/// `None` when the profiles differ or one of them makes no sense. With level asymmetry allowed on both sides the level
/// is ours, else the lower of the two (RFC 6184 section 8.2.2).
pub(super) fn answer(ours: &CodecParameters, theirs: &CodecParameters) -> Option<Option<String>> {
    let our_id = ProfileLevelId::of(ours)?;
    let their_id = ProfileLevelId::of(theirs)?;
    if our_id.profile != their_id.profile {
        return None;
    }
    if given(ours).is_none() && given(theirs).is_none() {
        return Some(None);
    }
    let asymmetric = allows_level_asymmetry(ours) && allows_level_asymmetry(theirs);
    let level = if asymmetric { our_id.level } else { our_id.level.min(their_id.level) };
    Some(ProfileLevelId { profile: our_id.profile, level }.to_text())
}

/// The parameter, if it is more than an empty place.
fn given(parameters: &CodecParameters) -> Option<&ParameterValue> {
    parameters.get(PROFILE_LEVEL_ID).filter(|value| !value.is_falsy())
}

fn allows_level_asymmetry(parameters: &CodecParameters) -> bool {
    match parameters.get("level-asymmetry-allowed") {
        Some(ParameterValue::Bool(allowed)) => *allowed,
        Some(ParameterValue::Number(number)) => *number == ParameterNumber::Integer(1),
        Some(ParameterValue::Text(text)) => text == "1",
        Some(ParameterValue::Null) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_and_levels_are_read() {
        let table = [
            ("42e01f", Profile::ConstrainedBaseline, Level::L3_1),
            ("42E01F", Profile::ConstrainedBaseline, Level::L3_1),
            ("42c02a", Profile::ConstrainedBaseline, Level::L4_2),
            ("4de01f", Profile::ConstrainedBaseline, Level::L3_1),
            ("58f01f", Profile::ConstrainedBaseline, Level::L3_1),
            ("42a01f", Profile::Baseline, Level::L3_1),
            ("58a01f", Profile::Baseline, Level::L3_1),
            ("4d401f", Profile::Main, Level::L3_1),
            ("4d0032", Profile::Main, Level::L5),
            ("64001f", Profile::High, Level::L3_1),
            ("640c1f", Profile::ConstrainedHigh, Level::L3_1),
            ("f4001f", Profile::PredictiveHigh444, Level::L3_1),
            ("42e00b", Profile::ConstrainedBaseline, Level::L1_1),
            ("42f00b", Profile::ConstrainedBaseline, Level::L1b),
        ];
        for (text, profile, level) in table {
            assert_eq!(ProfileLevelId::parse(text), Some(ProfileLevelId { profile, level }), "{text}");
        }
        for bad in ["", "42e01", "42e01fa", "42e0gg", "000000", "42e0ff", "42e11f", "58601f", "+2e01f", "é2e0f"] {
            assert_eq!(ProfileLevelId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_canonical_text_reads_back() {
        for text in ["42e01f", "420034", "4d0032", "640c1f", "64000a", "f4001f", "42f00b", "42100b", "4d100b"] {
            assert_eq!(ProfileLevelId::parse(text).unwrap().to_text().as_deref(), Some(text));
        }
        let impossible = ProfileLevelId { profile: Profile::High, level: Level::L1b };
        assert_eq!(impossible.to_text(), None);
    }

    #[test]
    fn the_answer_takes_our_level_with_asymmetry_and_else_the_lower() {
        let side = |id: Option<&str>, asymmetry: i64| {
            let mut parameters = CodecParameters::default();
            if let Some(id) = id {
                parameters.insert(PROFILE_LEVEL_ID, id);
            }
            parameters.insert("level-asymmetry-allowed", asymmetry);
            parameters
        };
        let table = [
            (side(Some("42e01f"), 1), side(Some("42e015"), 1), Some(Some("42e01f"))),
            (side(Some("42e01f"), 1), side(Some("42e015"), 0), Some(Some("42e015"))),
            (side(Some("42e015"), 0), side(Some("42e01f"), 1), Some(Some("42e015"))),
            (side(Some("42f00b"), 0), side(Some("42e00a"), 0), Some(Some("42e00a"))),
            (side(Some("42f00b"), 0), side(Some("42e00b"), 0), Some(Some("42f00b"))),
            (side(None, 1), side(Some("42e015"), 1), Some(Some("42e01f"))),
            (side(None, 1), side(None, 1), Some(None)),
            (side(Some(""), 1), side(None, 1), Some(None)),
            (side(Some("42e01f"), 1), side(Some("4d001f"), 1), None),
            (side(Some("rubbish"), 1), side(Some("42e01f"), 1), None),
        ];
        for (ours, theirs, expected) in table {
            let expected = expected.map(|text| text.map(str::to_owned));
            assert_eq!(answer(&ours, &theirs), expected, "{ours:?} {theirs:?}");
        }
    }
}
