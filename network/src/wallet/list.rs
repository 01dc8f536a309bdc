//! What wallets there are: names, addresses, how they are protected. Opens nothing that is encrypted, shows no secret.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::Serialize;

use super::sealing::Sealing;
use super::{TWIN, keyfile};
use crate::Error;
use crate::keys::Keypair;

/// More entries of a folder than this are not looked at.
const MAXIMUM_ENTRIES: usize = 4096;
/// The longest of the marks by which envelopes are known.
const MARK: u64 = 14;

/// One wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wallet {
    /// Its folder's name.
    pub name: String,
    /// The coldkey; its address comes from `coldkeypub.txt`.
    pub coldkey: Entry,
    /// The hotkeys in the order of their names.
    pub hotkeys: Vec<Entry>,
}

/// One key of a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Name of the key.
    pub name: String,
    /// Its address, when a public file or a plain secret one tells it.
    pub ss58: Option<String>,
    /// Whether and how the secret is kept here.
    pub secret: Secret,
    /// What should be put right, in words.
    pub problem: Option<String>,
}

/// How a secret is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// Not on this machine: the public half alone.
    Absent,
    /// As plain text.
    Plain,
    /// Encrypted as `$NACL`.
    Nacl,
    /// In an Ansible vault.
    AnsibleVault,
    /// As a Fernet token.
    Fernet,
}

impl Secret {
    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Absent => "not here",
            Self::Plain => "plain",
            Self::Nacl => "encrypted (NaCl)",
            Self::AnsibleVault => "encrypted (Ansible Vault)",
            Self::Fernet => "encrypted (Fernet)",
        }
    }
}

/// The wallets below `root`, in the order of their names; `only` the one of a name. A root that is not there has none.
///
/// # Errors
/// [`Error::KeyFile`] when the folder cannot be read.
pub fn list(root: &Path, only: Option<&str>) -> Result<Vec<Wallet>, Error> {
    let mut wallets = Vec::new();
    for name in names(root)? {
        let folder = root.join(&name);
        if only.is_some_and(|only| only != name) || !folder.is_dir() {
            continue;
        }
        let coldkey = entry("coldkey".to_owned(), &folder.join("coldkey"), &folder.join("coldkeypub.txt"));
        let hotkeys = hotkeys(&folder.join("hotkeys"))?;
        if coldkey.is_there() || !hotkeys.is_empty() {
            wallets.push(Wallet { name, coldkey, hotkeys });
        }
    }
    Ok(wallets)
}

impl Entry {
    fn is_there(&self) -> bool {
        self.ss58.is_some() || self.secret != Secret::Absent || self.problem.is_some()
    }
}

fn hotkeys(folder: &Path) -> Result<Vec<Entry>, Error> {
    let mut keys: Vec<String> = names(folder)?
        .into_iter()
        .map(|name| name.strip_suffix(TWIN).filter(|key| !key.is_empty()).map_or(name.clone(), str::to_owned))
        .collect();
    keys.sort();
    keys.dedup();
    let look = |name: String| {
        let (secret, public) = (folder.join(&name), folder.join(format!("{name}{TWIN}")));
        entry(name, &secret, &public)
    };
    Ok(keys.into_iter().map(look).filter(Entry::is_there).collect())
}

fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let failed = |source| Error::KeyFile { path: folder.to_owned(), action: "list the folder", source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries.take(MAXIMUM_ENTRIES) {
        // A name that is not text was made by no tool of ours.
        if let Ok(name) = entry.map_err(failed)?.file_name().into_string()
            && !name.starts_with('.')
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn entry(name: String, secret_path: &Path, public_path: &Path) -> Entry {
    let (secret, mut problem) = match protection(secret_path) {
        Ok(found) => found,
        Err(error) => (Secret::Plain, Some(error.to_string())),
    };
    let stated = match keyfile::load_public(public_path) {
        Ok(public) => Some(domain::ss58::encode(&public)),
        Err(Error::KeyFile { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            problem.get_or_insert(error.to_string());
            None
        }
    };
    // The plain secret proves its address, a public file only states it.
    let proven = if secret == Secret::Plain && problem.is_none() {
        Keypair::load(secret_path).map_err(|error| problem = Some(error.to_string())).ok().map(|key| key.ss58())
    } else {
        None
    };
    if let (Some(stated), Some(proven)) = (&stated, &proven)
        && stated != proven
    {
        problem = Some(format!("its public file names {stated}, which is another key"));
    }
    Entry { name, ss58: proven.or(stated), secret, problem }
}

/// How the secret is kept, and what is wrong with its file.
fn protection(path: &Path) -> Result<(Secret, Option<String>), Error> {
    let failed = |action| move |source| Error::KeyFile { path: path.to_owned(), action, source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Secret::Absent, None)),
        Err(error) => return Err(failed("open")(error)),
    };
    let metadata = file.metadata().map_err(failed("stat"))?;
    if !metadata.is_file() {
        return Ok((Secret::Absent, Some("it is not a regular file".to_owned())));
    }
    let mut start = Vec::new();
    file.take(MARK).read_to_end(&mut start).map_err(failed("read"))?;
    let secret = match Sealing::of(&start) {
        None => Secret::Plain,
        Some(Sealing::Nacl) => Secret::Nacl,
        Some(Sealing::AnsibleVault) => Secret::AnsibleVault,
        Some(Sealing::Fernet) => Secret::Fernet,
    };
    let mode = metadata.mode() & 0o7777;
    let wide = (mode & 0o077 != 0).then(|| Error::KeyFileMode { path: path.to_owned(), mode }.to_string());
    Ok((secret, wide))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wallet::WalletPath;
    use crate::wallet::create::{Protection, create};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn wallets_are_listed_with_their_problems_and_without_secrets() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(list(&root.path().join("absent"), None).unwrap(), []);
        let path = WalletPath::new(root.path(), "owner", "first").unwrap();
        let made = create(&path, 12, Protection::None).unwrap();
        create(&WalletPath::new(root.path(), "owner", "second").unwrap(), 12, Protection::None).unwrap();
        create(&WalletPath::new(root.path(), "other", "first").unwrap(), 12, Protection::None).unwrap();
        std::fs::create_dir(root.path().join("empty")).unwrap();
        let wallets = list(root.path(), None).unwrap();
        assert_eq!(wallets.iter().map(|wallet| wallet.name.as_str()).collect::<Vec<_>>(), ["other", "owner"]);
        let owner = &list(root.path(), Some("owner")).unwrap()[0];
        assert_eq!(*owner, wallets[1]);
        assert_eq!(owner.coldkey.ss58, made.coldkey.as_ref().map(|made| made.ss58.clone()));
        let hotkeys: Vec<_> = owner.hotkeys.iter().map(|key| (key.name.as_str(), key.secret, &key.problem)).collect();
        assert_eq!(hotkeys, [("first", Secret::Plain, &None), ("second", Secret::Plain, &None)]);
        let shown = serde_json::to_string(&wallets).unwrap();
        for phrase in [&made.hotkey.phrase, &made.coldkey.unwrap().phrase] {
            let key = phrase.keypair().unwrap();
            assert!(!shown.contains(phrase.text().as_str()) && !shown.contains(&hex::encode(key.seed().unwrap())));
        }
    }

    #[test]
    fn each_kind_of_file_is_told_apart() {
        let root = tempfile::tempdir().unwrap();
        let path = WalletPath::new(root.path(), "owner", "first").unwrap();
        create(&path, 12, Protection::None).unwrap();
        let look = || list(root.path(), None).unwrap().remove(0);
        std::fs::set_permissions(path.hotkey(), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(look().hotkeys[0].problem.as_ref().unwrap().contains("chmod 600"));
        std::fs::remove_file(path.hotkey()).unwrap();
        let absent = look().hotkeys.remove(0);
        assert!(absent.secret == Secret::Absent && absent.ss58.is_some() && absent.problem.is_none(), "{absent:?}");
        for (text, secret) in
            [("$NACLxx", Secret::Nacl), ("$ANSIBLE_VAULT;1.1", Secret::AnsibleVault), ("gAAAAABx", Secret::Fernet)]
        {
            std::fs::write(path.coldkey(), text).unwrap();
            let coldkey = look().coldkey;
            assert!(coldkey.secret == secret && coldkey.ss58.is_some(), "{coldkey:?}");
        }
        Keypair::generate().unwrap().store(&path.hotkey()).unwrap();
        assert!(look().hotkeys[0].problem.as_ref().unwrap().contains("another key"));
        std::fs::write(path.coldkey_public(), "junk").unwrap();
        assert!(look().coldkey.problem.is_some());
    }
}
