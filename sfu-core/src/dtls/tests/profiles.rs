//! Which SRTP profile is chosen.

use std::sync::Arc;
use std::time::Duration;

use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::RingProvider;
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::endpoint::Endpoint;
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile::{self, *};
use rtc_shared::TransportProtocol;
use zeroize::Zeroizing;

use super::super::srtp_profiles::to_crate;
use super::super::{Dtls, DtlsError, DtlsEvent, DtlsState, Fingerprint, Role, SrtpKeys};
use super::link::Bare;
use super::{Link, events, opens, origin, unvouched};
use crate::parameters::FingerprintAlgorithm;
use crate::srtp::ProtectionProfile;

/// A client of the bare crate that offers `profiles` in that order, and its certificate.
fn client(profiles: &[SrtpProtectionProfile], ems: ExtendedMasterSecretType) -> (Bare, Vec<u8>) {
    let provider: Arc<dyn RTCCryptoProvider> = Arc::new(RingProvider::new());
    let certificate =
        rtc_dtls::crypto::Certificate::generate_self_signed(vec!["peer".to_owned()], provider.crypto()).unwrap();
    let der = certificate.certificate[0].to_vec();
    let config: HandshakeConfig = ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![certificate])
        .with_srtp_protection_profiles(profiles.to_vec())
        .with_extended_master_secret(ems)
        .with_insecure_skip_verify(true)
        .build(true, Some(Bare::US))
        .unwrap();
    let mut endpoint = Endpoint::new(Bare::US, TransportProtocol::UDP, None);
    endpoint.connect(origin(), Bare::US, Arc::new(config), None).unwrap();
    (Bare::new(endpoint), der)
}

fn serve(profiles: &[SrtpProtectionProfile], ems: ExtendedMasterSecretType) -> (Dtls, Bare) {
    let (mut client, der) = client(profiles, ems);
    let mut server = unvouched(Role::Server);
    server.set_remote_fingerprints(origin(), vec![Fingerprint::of(FingerprintAlgorithm::Sha256, &der)]).unwrap();
    Link::new().run(&mut client, &mut server, Duration::from_secs(3), |_, _, _| 1);
    (server, client)
}

/// Chromium lists AES-CM first; the crate would follow it, at four times the cost per packet.
#[test]
fn gcm_is_chosen_though_the_client_lists_aes_cm_first() {
    let all = [Srtp_Aes128_Cm_Hmac_Sha1_80, Srtp_Aead_Aes_256_Gcm, Srtp_Aead_Aes_128_Gcm];
    for (offer, chosen) in [
        (&all[..], ProtectionProfile::AeadAes128Gcm),
        (&all[..2], ProtectionProfile::AeadAes256Gcm),
        (&all[..1], ProtectionProfile::Aes128CmHmacSha1_80),
        (&[Srtp_Aes128_Cm_Hmac_Sha1_32, Srtp_Aes128_Cm_Hmac_Sha1_80], ProtectionProfile::Aes128CmHmacSha1_80),
    ] {
        let (mut server, client) = serve(offer, ExtendedMasterSecretType::Request);
        let happened = events(&mut server);
        let Some(DtlsEvent::Connected(keys)) = happened.last() else { panic!("{happened:?}") };
        assert_eq!(keys.profile(), chosen);
        let state = client.endpoint.get_connection_state(Bare::US).unwrap();
        assert_eq!(state.srtp_protection_profile(), to_crate(chosen));
        let theirs = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], chosen.keying_material_len()).unwrap();
        let theirs = SrtpKeys::new(chosen, Role::Client, Zeroizing::new(theirs.as_ref().to_vec())).unwrap();
        let ((our_seal, our_open), (their_seal, their_open)) = (keys.contexts().unwrap(), theirs.contexts().unwrap());
        assert!(opens(&our_seal, &their_open) && opens(&their_seal, &our_open));
    }
}

#[test]
fn no_common_profile_fails_by_name_and_the_client_is_told() {
    for (offer, code_points) in [(&[Srtp_Aes128_Cm_Hmac_Sha1_32][..], vec![2]), (&[], vec![])] {
        let (mut client, _) = client(offer, ExtendedMasterSecretType::Request);
        let mut server = unvouched(Role::Server);
        let hello = client.endpoint.poll_transmit().unwrap().message;
        server.handle_datagram(origin(), &hello);
        let happened = events(&mut server);
        let expected = DtlsError::NoCommonSrtpProfile { offered: code_points };
        assert!(matches!(happened.last(), Some(DtlsEvent::Failed(error)) if *error == expected), "{happened:?}");
        let alert = server.poll_transmit().unwrap();
        assert_eq!(alert[0], 21);
        assert!(client.endpoint.read(origin(), Bare::US, None, alert[..].into()).is_err());
    }
}

/// Without it the exported keys are not bound to the certificates (RFC 7627).
#[test]
fn a_client_without_extended_master_secret_is_refused() {
    let (mut server, client) = serve(&[Srtp_Aead_Aes_128_Gcm], ExtendedMasterSecretType::Disable);
    assert!(!client.complete);
    assert_eq!(server.state(), DtlsState::Failed);
    assert!(matches!(events(&mut server).last(), Some(DtlsEvent::Failed(DtlsError::PeerMisbehaved(_)))));
    assert!(server.poll_transmit().is_none());
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let provider: Arc<dyn RTCCryptoProvider> = Arc::new(RingProvider::new());
    let config = ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_srtp_protection_profiles(vec![Srtp_Aead_Aes_128_Gcm])
        .with_insecure_skip_verify(true)
        .build(true, Some(Bare::US))
        .unwrap();
    let mut endpoint = Endpoint::new(Bare::US, TransportProtocol::UDP, None);
    endpoint.connect(origin(), Bare::US, Arc::new(config), None).unwrap();
    let (mut client, mut server) = (Bare::new(endpoint), unvouched(Role::Server));
    Link::new().run(&mut client, &mut server, Duration::from_secs(3), |_, _, _| 1);
    assert_eq!(server.state(), DtlsState::Failed);
    assert!(!events(&mut server).iter().any(|event| matches!(event, DtlsEvent::Connected(_))));
}
