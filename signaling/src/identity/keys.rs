//! Tokens (JWT, RFC 7519) and the keys that they are signed with: HS256, RS256 and ES256 (RFC 7518). Pure: the caller says
//! what time it is.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use serde::{Deserialize, Serialize};

use super::grants::Grants;
use super::{Access, User, crypto};
use crate::limits::{
    TOKEN_BYTES_MAX, TOKEN_CLOCK_SKEW_S, TOKEN_KEYS_MAX, TOKEN_SECRET_BYTES_MIN, USER_ID_BYTES_MAX, USER_NAME_BYTES_MAX,
};

/// Why a key is not taken. Says nothing of what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// RFC 7518, section 3.2: no shorter than the hash.
    #[error("the secret must be at least {TOKEN_SECRET_BYTES_MIN} bytes long")]
    ShortSecret,
    /// Neither an RSA key nor a P-256 key in PEM.
    #[error("expected an RSA key (2048 bits or more) or an EC key (P-256) in PEM")]
    NotAPem,
    /// No JSON Web Key Set (RFC 7517).
    #[error("expected a JSON Web Key Set: {0}")]
    NotAKeySet(String),
    /// A set without a key for signatures of RS256 or ES256.
    #[error("no key of the set is for RS256 or ES256")]
    NoUsableKey,
    /// Each token without a key's id is tried with all keys.
    #[error("more than {TOKEN_KEYS_MAX} keys")]
    TooManyKeys,
    /// The key can check signatures, and not make any.
    #[error("a token cannot be signed with this key")]
    CannotSign,
}

/// Why a token is refused. The text goes to who came with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No token, where one is needed.
    #[error("token: a token is required (auth.token, or the Authorization header)")]
    Missing,
    /// Not a string, or not of a token's form.
    #[error("token: not a JSON Web Token")]
    Malformed,
    /// Too long.
    #[error("token: longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// Signed with a key that the server does not have.
    #[error("token: signed with an unknown key")]
    UnknownKey,
    /// Signed with something else than it says.
    #[error("token: the signature is wrong")]
    WrongSignature,
    /// `exp` has passed.
    #[error("token: it has expired")]
    Expired,
    /// `nbf` has not come.
    #[error("token: it is not valid yet")]
    NotYetValid,
    /// `iss` is missing or another one.
    #[error("token: issued by somebody else (iss)")]
    WrongIssuer,
    /// `aud` is missing or another one.
    #[error("token: issued for somebody else (aud)")]
    WrongAudience,
    /// A claim is missing, or has the wrong type.
    #[error("token: {0}")]
    BadClaim(String),
}

/// What a token says, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Seconds since 1970, with or without a fraction (RFC 7519, section 2).
    exp: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Audience>,
    #[serde(flatten)]
    grants: Grants,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn is(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Several(several) => several.iter().any(|one| one == name),
        }
    }
}

/// A key that checks signatures of one algorithm.
#[derive(Clone)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

/// The keys that tokens may be signed with, and what they must say of where they come from. Never printed.
#[derive(Clone, Default)]
pub struct Keys {
    keys: Vec<Key>,
    issuer: Option<String>,
    audience: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("count", &self.keys.len()).finish_non_exhaustive()
    }
}

impl Keys {
    /// None: every token is refused.
    pub fn new() -> Self {
        crypto::install();
        Self::default()
    }

    /// What tokens must say in `iss` and `aud`, where something is demanded.
    #[must_use]
    pub fn demanding(mut self, issuer: Option<String>, audience: Option<String>) -> Self {
        (self.issuer, self.audience) = (issuer, audience);
        self
    }

    /// Takes tokens signed with this secret too (HS256).
    ///
    /// # Errors
    /// [`KeyError::ShortSecret`], [`KeyError::TooManyKeys`].
    pub fn add_secret(&mut self, secret: &[u8]) -> Result<(), KeyError> {
        if secret.len() < TOKEN_SECRET_BYTES_MIN {
            return Err(KeyError::ShortSecret);
        }
        self.add(Key { id: None, algorithm: Algorithm::HS256, decoding: DecodingKey::from_secret(secret) })
    }

    /// Takes tokens signed with the other half of this public key too: RSA (RS256) or P-256 (ES256), in PEM.
    ///
    /// # Errors
    /// [`KeyError::NotAPem`], [`KeyError::TooManyKeys`].
    pub fn add_pem(&mut self, pem: &str) -> Result<(), KeyError> {
        let rsa = DecodingKey::from_rsa_pem(pem.as_bytes()).map(|decoding| (Algorithm::RS256, decoding));
        let read =
            rsa.or_else(|_| DecodingKey::from_ec_pem(pem.as_bytes()).map(|decoding| (Algorithm::ES256, decoding)));
        let (algorithm, decoding) = read.map_err(|_| KeyError::NotAPem)?;
        self.add(Key { id: None, algorithm, decoding })
    }

    /// Takes tokens signed with the keys of a JSON Web Key Set too. Keys for other things are left out.
    ///
    /// # Errors
    /// [`KeyError::NotAKeySet`], [`KeyError::NoUsableKey`], [`KeyError::TooManyKeys`].
    pub fn add_key_set(&mut self, json: &str) -> Result<(), KeyError> {
        let set: JwkSet = serde_json::from_str(json).map_err(|error| KeyError::NotAKeySet(error.to_string()))?;
        let keys: Vec<Key> = set.keys.iter().filter_map(usable).collect();
        if keys.is_empty() {
            return Err(KeyError::NoUsableKey);
        }
        keys.into_iter().try_for_each(|key| self.add(key))
    }

    fn add(&mut self, key: Key) -> Result<(), KeyError> {
        if self.keys.len() >= TOKEN_KEYS_MAX {
            return Err(KeyError::TooManyKeys);
        }
        self.keys.push(key);
        Ok(())
    }

    /// What a token says, if it is to be believed.
    ///
    /// # Errors
    /// [`TokenError`], all but [`TokenError::Missing`].
    pub fn verify(&self, token: &str, now: SystemTime) -> Result<Access, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        // A key decides which algorithm is used with it, never the token: a public key is no secret.
        let fits = |key: &&Key| {
            key.algorithm == header.alg && (key.id.is_none() || header.kid.is_none() || key.id == header.kid)
        };
        let mut refused = TokenError::UnknownKey;
        for key in self.keys.iter().filter(fits) {
            let mut validation = Validation::new(key.algorithm);
            // Those are looked at below: by the caller's clock, and strictly by their types.
            (validation.validate_exp, validation.validate_aud) = (false, false);
            validation.required_spec_claims.clear();
            match decode::<Claims>(token, &key.decoding, &validation) {
                Ok(data) => return self.judge(data.claims, now),
                Err(error) => match error.into_kind() {
                    ErrorKind::InvalidSignature => refused = TokenError::WrongSignature,
                    ErrorKind::Json(error) => return Err(TokenError::BadClaim(error.to_string())),
                    _ => return Err(TokenError::Malformed),
                },
            }
        }
        Err(refused)
    }

    fn judge(&self, claims: Claims, now: SystemTime) -> Result<Access, TokenError> {
        let now_s = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let skew_s = TOKEN_CLOCK_SKEW_S as f64;
        // Not a number: never valid.
        if claims.exp.is_nan() || claims.exp + skew_s <= now_s {
            return Err(TokenError::Expired);
        }
        if claims.nbf.is_some_and(|nbf| nbf.is_nan() || nbf - skew_s > now_s) {
            return Err(TokenError::NotYetValid);
        }
        if self.issuer.is_some() && claims.iss != self.issuer {
            return Err(TokenError::WrongIssuer);
        }
        if let Some(audience) = &self.audience
            && !claims.aud.is_some_and(|aud| aud.is(audience))
        {
            return Err(TokenError::WrongAudience);
        }
        let bad = |problem: String| Err(TokenError::BadClaim(problem));
        match (claims.sub.len(), claims.name.as_ref().map_or(0, String::len)) {
            (0, _) => return bad("sub: must not be empty".to_owned()),
            (1..=USER_ID_BYTES_MAX, 0..=USER_NAME_BYTES_MAX) => {}
            (1..=USER_ID_BYTES_MAX, _) => return bad(format!("name: longer than {USER_NAME_BYTES_MAX} bytes")),
            _ => return bad(format!("sub: longer than {USER_ID_BYTES_MAX} bytes")),
        }
        // What is too far away for the clock never comes.
        let expires_at =
            Duration::try_from_secs_f64(claims.exp + skew_s).ok().and_then(|exp| UNIX_EPOCH.checked_add(exp));
        let name = claims.name.filter(|name| !name.is_empty());
        Ok(Access { user: Some(User { id: claims.sub, name }), grants: claims.grants, expires_at })
    }
}

/// A key of a set, if it is for signatures that are checked here.
fn usable(jwk: &Jwk) -> Option<Key> {
    if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
        return None;
    }
    // A secret (`oct`) in a set that is meant to be public is a mistake that must not open the door.
    let decoding = DecodingKey::from_jwk(jwk).ok()?;
    let algorithm = match (decoding.family(), jwk.common.key_algorithm) {
        (AlgorithmFamily::Rsa, None | Some(KeyAlgorithm::RS256)) => Algorithm::RS256,
        (AlgorithmFamily::Ec, None | Some(KeyAlgorithm::ES256)) => Algorithm::ES256,
        _ => return None,
    };
    Some(Key { id: jwk.common.key_id.clone(), algorithm, decoding })
}

/// Makes tokens. Never printed.
#[derive(Clone)]
pub struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Signer {
    /// With a secret (HS256).
    ///
    /// # Errors
    /// [`KeyError::ShortSecret`].
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        crypto::install();
        if secret.len() < TOKEN_SECRET_BYTES_MIN {
            return Err(KeyError::ShortSecret);
        }
        Ok(Self { algorithm: Algorithm::HS256, key: EncodingKey::from_secret(secret) })
    }

    /// With a private key in PEM: RSA (RS256) or P-256 (ES256).
    ///
    /// # Errors
    /// [`KeyError::NotAPem`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        crypto::install();
        let rsa = EncodingKey::from_rsa_pem(pem.as_bytes()).map(|key| Self { algorithm: Algorithm::RS256, key });
        let read = rsa
            .or_else(|_| EncodingKey::from_ec_pem(pem.as_bytes()).map(|key| Self { algorithm: Algorithm::ES256, key }));
        read.map_err(|_| KeyError::NotAPem)
    }

    /// A token for `user`, good from `now` on for `valid_for`. `key_id` goes to the header (`kid`).
    ///
    /// # Errors
    /// [`KeyError::CannotSign`].
    pub fn sign(
        &self,
        user: &User,
        grants: &Grants,
        now: SystemTime,
        valid_for: Duration,
        key_id: Option<&str>,
    ) -> Result<String, KeyError> {
        let exp = now.duration_since(UNIX_EPOCH).unwrap_or_default() + valid_for;
        let claims = Claims {
            sub: user.id.clone(),
            name: user.name.clone(),
            exp: exp.as_secs() as f64,
            nbf: None,
            iss: None,
            aud: None,
            grants: grants.clone(),
        };
        let header = Header { kid: key_id.map(str::to_owned), ..Header::new(self.algorithm) };
        encode(&header, &claims, &self.key).map_err(|_| KeyError::CannotSign)
    }
}

#[cfg(test)]
mod tests;
