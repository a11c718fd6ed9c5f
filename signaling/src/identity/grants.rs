//! What somebody may do in which room.

use serde::{Deserialize, Serialize};
use sfu_core::parameters::MediaKind;

/// What is published, for the owner of a room to tell apart. Clients say so themselves, by a producer's kind and `appData`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// Video that is no screen.
    Camera,
    /// Audio that is not a screen's.
    Microphone,
    /// Video of a screen.
    Screen,
    /// Audio of a screen.
    ScreenAudio,
}

impl Source {
    /// Of a producer.
    pub fn of(kind: MediaKind, is_screen: bool) -> Self {
        match (kind, is_screen) {
            (MediaKind::Video, false) => Self::Camera,
            (MediaKind::Audio, false) => Self::Microphone,
            (MediaKind::Video, true) => Self::Screen,
            (MediaKind::Audio, true) => Self::ScreenAudio,
        }
    }

    /// As tokens and errors have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::Screen => "screen",
            Self::ScreenAudio => "screenAudio",
        }
    }
}

/// What may be published: `true`, `false`, or a list of sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Publish {
    /// Everything, or nothing.
    All(bool),
    /// These.
    Only(Vec<Source>),
}

impl Publish {
    /// Whether that is among it.
    pub fn allows(&self, source: Source) -> bool {
        match self {
            Self::All(all) => *all,
            Self::Only(sources) => sources.contains(&source),
        }
    }
}

/// Which rooms a token is for: one by its name, or `*` for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum RoomGrant {
    /// All.
    Any,
    /// This one.
    Only(String),
}

impl RoomGrant {
    /// Whether that room is among them.
    pub fn allows(&self, room: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(name) => name == room,
        }
    }
}

impl From<String> for RoomGrant {
    fn from(name: String) -> Self {
        if name == "*" { Self::Any } else { Self::Only(name) }
    }
}

impl From<RoomGrant> for String {
    fn from(grant: RoomGrant) -> Self {
        match grant {
            RoomGrant::Any => "*".to_owned(),
            RoomGrant::Only(name) => name,
        }
    }
}

/// What is allowed. As claims of a token, in these words; what is left out is as in [`Grants::for_room`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grants {
    /// In which rooms. A token that names none opens none.
    #[serde(default = "no_room")]
    pub room: RoomGrant,
    /// Sending of media.
    #[serde(default = "everything")]
    pub can_publish: Publish,
    /// Receiving of media.
    #[serde(default = "yes")]
    pub can_subscribe: bool,
    /// Chat and data.
    #[serde(default = "yes")]
    pub can_publish_data: bool,
    /// Moderation.
    #[serde(default)]
    pub room_admin: bool,
    /// Others do not learn of them, so they send nothing.
    #[serde(default)]
    pub hidden: bool,
}

impl Grants {
    /// Of a stranger, where the server is open: everything but moderation, everywhere.
    pub fn open() -> Self {
        Self::for_room(RoomGrant::Any)
    }

    /// What a token allows that says no more than for which room it is.
    pub fn for_room(room: RoomGrant) -> Self {
        Self {
            room,
            can_publish: Publish::All(true),
            can_subscribe: true,
            can_publish_data: true,
            room_admin: false,
            hidden: false,
        }
    }

    /// Whether that may be published.
    pub fn allows_publishing(&self, source: Source) -> bool {
        !self.hidden && self.can_publish.allows(source)
    }

    /// Whether messages may be sent.
    pub fn allows_data(&self) -> bool {
        !self.hidden && self.can_publish_data
    }
}

/// What an administrator changes of somebody's grants in a room. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrantChange {
    /// See [`Grants::can_publish`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish: Option<Publish>,
    /// See [`Grants::can_subscribe`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_subscribe: Option<bool>,
    /// See [`Grants::can_publish_data`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish_data: Option<bool>,
    /// See [`Grants::room_admin`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_admin: Option<bool>,
}

impl GrantChange {
    /// The grants with the change.
    pub fn applied_to(&self, grants: &Grants) -> Grants {
        Grants {
            can_publish: self.can_publish.clone().unwrap_or_else(|| grants.can_publish.clone()),
            can_subscribe: self.can_subscribe.unwrap_or(grants.can_subscribe),
            can_publish_data: self.can_publish_data.unwrap_or(grants.can_publish_data),
            room_admin: self.room_admin.unwrap_or(grants.room_admin),
            ..grants.clone()
        }
    }

    /// This change after an earlier one.
    #[must_use]
    pub fn after(self, earlier: Self) -> Self {
        Self {
            can_publish: self.can_publish.or(earlier.can_publish),
            can_subscribe: self.can_subscribe.or(earlier.can_subscribe),
            can_publish_data: self.can_publish_data.or(earlier.can_publish_data),
            room_admin: self.room_admin.or(earlier.room_admin),
        }
    }
}

fn no_room() -> RoomGrant {
    // No room has an empty name.
    RoomGrant::Only(String::new())
}

fn everything() -> Publish {
    Publish::All(true)
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn claims_say_what_is_allowed() {
        use Source::{Camera, Microphone, Screen, ScreenAudio};
        let all = vec![Camera, Microphone, Screen, ScreenAudio];
        for (claims, in_room, publishes, subscribes) in [
            (json!({}), false, all.clone(), true),
            (json!({"room": "b"}), false, all.clone(), true),
            (json!({"room": "*"}), true, all.clone(), true),
            (json!({"room": "a", "canPublish": true}), true, all.clone(), true),
            (json!({"room": "a", "canPublish": false}), true, vec![], true),
            (json!({"room": "a", "canPublish": []}), true, vec![], true),
            (json!({"room": "a", "canPublish": ["screenAudio", "screen"]}), true, vec![Screen, ScreenAudio], true),
            (json!({"room": "a", "canSubscribe": false}), true, all.clone(), false),
            (json!({"room": "a", "hidden": true}), true, vec![], true),
        ] {
            let grants: Grants = from_value(claims.clone()).unwrap();
            assert_eq!(grants.room.allows("a"), in_room, "{claims}");
            assert_eq!(grants.can_subscribe, subscribes, "{claims}");
            let allowed: Vec<_> = all.iter().copied().filter(|source| grants.allows_publishing(*source)).collect();
            assert_eq!(allowed, publishes, "{claims}");
            assert!(!grants.room_admin, "{claims}");
        }
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let grants = Grants::for_room(RoomGrant::Any);
        let no_picture =
            GrantChange { can_publish: Some(Publish::Only(vec![Source::Microphone])), ..GrantChange::default() };
        let silent = GrantChange { can_publish_data: Some(false), ..GrantChange::default() };
        let both = silent.clone().after(no_picture.clone());
        assert_eq!(both.applied_to(&grants), silent.applied_to(&no_picture.applied_to(&grants)));
        assert!(!both.applied_to(&grants).allows_data() && both.applied_to(&grants).can_subscribe);
        assert!(
            from_value::<GrantChange>(json!({"canPublsh": false})).is_err(),
            "a slip would change nothing, silently"
        );
    }

    #[test]
    fn a_claim_of_the_wrong_kind_is_refused_rather_than_guessed_at() {
        for claims in [
            json!({"canPublish": "camera"}),
            json!({"canPublish": ["webcam"]}),
            json!({"canSubscribe": "false"}),
            json!({"roomAdmin": 1}),
            json!({"room": ["a"]}),
        ] {
            assert!(from_value::<Grants>(claims.clone()).is_err(), "{claims}");
        }
    }
}
