//! The certificate in use, and the files that it is from.

use std::fmt;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::config::TlsFiles;
use crate::limits::{TLS_FILE_BYTES_MAX, TLS_FILES_INTERVAL};

/// Why a certificate is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("{setting} is `{}`: cannot be read: {source}", path.display())]
    Read { setting: &'static str, path: PathBuf, source: io::Error },
    #[error("TLS_CERT is `{}`: expected certificates in PEM: {problem}", path.display())]
    NoCertificate { path: PathBuf, problem: String },
    #[error("TLS_KEY is `{}`: expected a private key in PEM: {problem}", path.display())]
    NoKey { path: PathBuf, problem: String },
    #[error("TLS_CERT is `{}` and TLS_KEY is `{}`: {source}", cert.display(), key.display())]
    NoPair { cert: PathBuf, key: PathBuf, source: rustls::Error },
}

/// A certificate with its key, as handshakes find it.
pub(crate) struct Certificate {
    files: TlsFiles,
    pair: RwLock<Arc<CertifiedKey>>,
    /// A hash of the files as they were looked at last.
    seen: Mutex<u64>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// What is in the files.
struct Content {
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Certificate {
    pub(crate) fn load(files: &TlsFiles) -> Result<Self, CertificateError> {
        let content = Content::read(files)?;
        let pair = content.pair(files)?;
        Ok(Self { files: files.clone(), pair: RwLock::new(Arc::new(pair)), seen: Mutex::new(content.hash()) })
    }

    /// Looks at the files; if they have changed since, the new pair is used from the next handshake on, and the answer is `true`. A
    /// pair that is none, as while one file has been replaced and the other has not, is told once, and the old one stays.
    pub(crate) fn reload(&self) -> Result<bool, CertificateError> {
        let content = Content::read(&self.files);
        // That they cannot be read is a change too, to be told once.
        let hash = content.as_ref().map_or(0, Content::hash);
        if std::mem::replace(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner), hash) == hash {
            return Ok(false);
        }
        let pair = content?.pair(&self.files)?;
        *self.pair.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
        Ok(true)
    }

    /// Reloads for as long as the server runs.
    pub(crate) async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(TLS_FILES_INTERVAL).await;
            self.clone().reload_now().await;
        }
    }

    /// Reloads, and says what came of it.
    pub(crate) async fn reload_now(self: Arc<Self>) {
        match tokio::task::spawn_blocking(move || self.reload()).await {
            Ok(Ok(true)) => tracing::info!("the certificate for HTTPS was replaced"),
            Ok(Err(error)) => tracing::error!(%error, "the certificate for HTTPS stays as it was"),
            Ok(Ok(false)) | Err(_) => {}
        }
    }

    /// What its dates say against it now: it is too old, or the clock is wrong.
    pub(crate) fn problem_at(&self, now: OffsetDateTime) -> Option<String> {
        let pair = self.pair.read().unwrap_or_else(PoisonError::into_inner);
        let (_, certificate) = x509_parser::parse_x509_certificate(pair.cert.first()?).ok()?;
        let validity = certificate.validity();
        let (from, to) = (validity.not_before.to_datetime(), validity.not_after.to_datetime());
        if now < from {
            return Some(format!("TLS_CERT is valid from {from} on, and it is {now}: is this machine's clock wrong?"));
        }
        (now > to).then(|| format!("TLS_CERT was valid until {to}: browsers refuse it"))
    }
}

impl Content {
    fn read(files: &TlsFiles) -> Result<Self, CertificateError> {
        let read = |setting, path: &Path| {
            read_small(path).map_err(|source| CertificateError::Read { setting, path: path.to_owned(), source })
        };
        Ok(Self { cert: read("TLS_CERT", &files.cert)?.to_vec(), key: read("TLS_KEY", &files.key)? })
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.cert, &self.key[..]).hash(&mut hasher);
        hasher.finish()
    }

    fn pair(&self, files: &TlsFiles) -> Result<CertifiedKey, CertificateError> {
        let no_certificate = |problem: String| CertificateError::NoCertificate { path: files.cert.clone(), problem };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.cert).collect();
        let chain = chain.map_err(|error| no_certificate(error.to_string()))?;
        if chain.is_empty() {
            return Err(no_certificate("there is none in it".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| CertificateError::NoKey { path: files.key.clone(), problem: error.to_string() })?;
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|source| CertificateError::NoPair {
            cert: files.cert.clone(),
            key: files.key.clone(),
            source,
        })
    }
}

fn read_small(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(TLS_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > TLS_FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {TLS_FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}
