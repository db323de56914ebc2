//! Signatures of which bytes were changed: none makes the judge panic, and none is ever for another image or of another key.

use palisade_model::Timestamp;
use palisade_model::image_policy::LogRule;
use palisade_signatures::demand::{Credential, Signer};
use palisade_signatures::private_key::KeyKind;
use palisade_signatures::sign::{self, Made};
use palisade_signatures::{Attached, Demand, Form, PrivateKey, PublicKey, Subject, Verdict, judge};

fn image(digit: char) -> Subject {
    let media_type = "application/vnd.oci.image.manifest.v1+json".into();
    let digest = format!("sha256:{}", digit.to_string().repeat(64));
    Subject { digest, media_type, manifest: b"{}".to_vec(), index: None }
}

fn holds(image: &Subject, key: &PublicKey, form: Form, made: &Made) -> bool {
    let credential = Credential::Key { key: key.clone(), root: None, log: LogRule::IfPresent };
    let signers = vec![Signer { name: "release".into(), credential }];
    let (bytes, annotations) = (made.bytes.clone(), made.annotations.clone());
    let attached = Attached { digest: "sha256:1".into(), form, bytes, annotations };
    let demand = Demand { signers, threshold: 1, attestations: Vec::new() };
    judge(image, &[attached], &demand, Timestamp::UNIX_EPOCH).verdict == Verdict::Verified
}

#[test]
fn a_changed_signature_is_of_no_other_image_and_no_other_key() {
    let key = PrivateKey::generate(KeyKind::EcdsaP256).expect("random numbers");
    let other = PrivateKey::generate(KeyKind::EcdsaP256).expect("random numbers");
    let (mine, stranger) = (image('a'), image('b'));
    let made = [
        (Form::Bundle, sign::bundle(&mine, &key).expect("it signs")),
        (Form::CosignSignature, sign::legacy(&mine, "shop/web", &[].into(), &key).expect("it signs")),
    ];
    for (form, made) in made {
        assert!(holds(&mine, key.public(), form, &made));
        assert!(!holds(&stranger, key.public(), form, &made) && !holds(&mine, other.public(), form, &made));
        for position in 0..made.bytes.len() {
            for change in [|byte: u8| byte ^ 1, |byte: u8| byte ^ 0x80, |_| b'"'] {
                let mut changed = made.clone();
                changed.bytes[position] = change(changed.bytes[position]);
                holds(&mine, key.public(), form, &changed);
                assert!(!holds(&stranger, key.public(), form, &changed), "{form:?} {position}");
                assert!(!holds(&mine, other.public(), form, &changed), "{form:?} {position}");
            }
            let cut = Made { bytes: made.bytes[..position].to_vec(), ..made.clone() };
            assert!(!holds(&mine, key.public(), form, &cut), "{form:?} cut at {position}");
        }
    }
}
