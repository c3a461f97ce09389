//! A certificate for a server on loopback.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::{
    Fault,
    fault::Doing as _,
    home::{self, Home},
};

/// Files of a server's certificate, all PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The authority's certificate, which clients trust.
    pub authority: PathBuf,
    /// The server's certificate.
    pub server: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

impl Certificate {
    /// The certificate in a server's directory, made if there is none.
    pub fn of(home: &Home) -> Result<Self, Fault> {
        let files = Self {
            authority: home.join("ca.pem"),
            server: home.join("cert.pem"),
            key: home.join("key.pem"),
        };
        if files.key.exists() {
            return Ok(files);
        }
        let mut authority = CertificateParams::new(Vec::<String>::new())?;
        authority
            .distinguished_name
            .push(DnType::CommonName, "loopback authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let mut server = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        // Under its issuer's name it would count as signed by itself.
        server.distinguished_name.push(DnType::CommonName, "loopback server");
        let server = server.signed_by(&key, &authority)?;
        home::write(&files.authority, authority.pem())?;
        home::write(&files.server, server.pem())?;
        home::write(&files.key, key.serialize_pem())?;
        fs::set_permissions(&files.key, Permissions::from_mode(0o600)).doing("cannot close the key to others")?;
        Ok(files)
    }
}
