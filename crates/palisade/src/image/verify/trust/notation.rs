//! notation's trust policy and trust store.

use std::path::Path;

use palisade_signatures::demand::{Credential, Signer};
use palisade_signatures::notary::trust_policy::{self, Statement, StoreKind};
use palisade_signatures::notary::{Certificates, Trust};

use super::{add_certificates, named, read_list, read_text};
use crate::arguments::signing::VerifyArguments;
use crate::failure::{Failure, Hint};

/// The signer that the policy's statement about the image trusts.
pub fn signer(file: &Path, arguments: &VerifyArguments, name: Option<&str>) -> Result<Option<Signer>, Failure> {
    let statements = trust_policy::parse(&read_text(file)?).map_err(|error| named(file, error))?;
    let statement = match (name, &statements[..]) {
        (Some(name), _) => trust_policy::about(&statements, repository(name)),
        // A layout has no name; with one statement there is nothing to choose.
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let Some(statement) = statement else {
        let scopes: Vec<&str> = statements.iter().flat_map(|it| &it.scopes).map(String::as_str).collect();
        return Err(named(file, "no statement is about the image").hint(Hint::Change(format!(
            "say what the image is called: --name REFERENCE; there is a statement about {}",
            crate::failure::listed(scopes)
        ))));
    };
    let trust = trust(statement, arguments)?;
    Ok(Some(Signer { name: statement.name.clone(), credential: Credential::Notary(trust) }))
}

fn trust(statement: &Statement, arguments: &VerifyArguments) -> Result<Trust, Failure> {
    let folder = arguments.trust_store.as_deref().unwrap_or(Path::new(""));
    let mut trust = Trust {
        subjects: statement.subjects.clone(),
        revocation: statement.revocation,
        staleness: statement.staleness,
        ..Trust::default()
    };
    for (kind, name) in &statement.stores {
        let certificates: &mut Certificates = match kind {
            StoreKind::Authority => &mut trust.authorities,
            StoreKind::SigningAuthority => &mut trust.signing_authorities,
            StoreKind::TimestampAuthority => &mut trust.timestamp_authorities,
        };
        add_certificates(certificates, &folder.join("x509").join(kind.as_str()).join(name))?;
    }
    for path in &arguments.revocation_list {
        trust.revocation_lists.push(read_list(path)?);
    }
    Ok(trust)
}

/// `registry/repository`, without tag and digest.
fn repository(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or(reference);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}
