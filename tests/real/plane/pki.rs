//! Who is who on a plane: one authority, certificates for its parts, tokens for people.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::fs;
use std::path::{Path, PathBuf};

/// People without rights until a test grants them some; each authenticates by a token.
/// `viewer` is of the group that `assets/kubernetes/viewer.yaml` binds its Role to.
pub const PEOPLE: [&str; 3] = ["viewer", "operator", "other"];

const GROUPS: [&str; 3] = ["release-watch", "", ""];

/// The authority of one plane; its files lie in one folder.
pub struct Pki {
    folder: PathBuf,
    authority: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, as PEM.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Pki {
    /// A new authority with the serving certificate, the service-account key and the tokens.
    pub fn new(folder: PathBuf) -> Pki {
        fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
        ];
        params
            .distinguished_name
            .push(DnType::CommonName, "a plane for tests");
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().pem();
        let pki = Pki {
            folder,
            authority,
            issuer: Issuer::new(params, key),
        };
        pki.write_files();
        pki
    }

    /// The authority's certificate, as PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path of a file of this authority.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// A client certificate for a user of a group.
    pub fn client(&self, user: &str, group: Option<&str>) -> Identity {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// The token of one of the `PEOPLE`.
    pub fn token(person: &str) -> String {
        format!("{person}-token-for-tests")
    }

    fn sign(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Identity {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        Identity {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    fn write_files(&self) {
        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"].map(String::from);
        let params = CertificateParams::new(names.to_vec()).unwrap();
        let serving = self.sign(params, ExtendedKeyUsagePurpose::ServerAuth);
        let service_accounts = KeyPair::generate().unwrap();
        let tokens: String = PEOPLE
            .iter()
            .zip(GROUPS)
            .map(|(who, group)| format!("{},{who},uid-{who},{group}\n", Pki::token(who)))
            .collect();
        self.write("ca.pem", &self.authority);
        self.write("serving.pem", &serving.certificate);
        self.write("serving.key", &serving.key);
        self.write("accounts.key", &service_accounts.serialize_pem());
        self.write("accounts.pem", &service_accounts.public_key_pem());
        self.write("tokens.csv", &tokens);
    }

    fn write(&self, file: &str, text: &str) {
        write(&self.path(file), text);
    }
}

/// Writes a small file or says which one could not be written.
pub fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
}
