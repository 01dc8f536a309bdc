//! The account that the server runs as: this process's own, or another one when this process is root.

use std::fs::File;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::error::{Error, Result};

/// Who runs the server.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    name: String,
    /// The user and group to drop to; `None` when this process is not root.
    drop_to: Option<(u32, u32)>,
}

impl Account {
    /// Root drops to `postgres`, else to `nobody`; everybody else stays who they are.
    ///
    /// The owner of a file that this process has just made tells who it is, without a system call that the standard
    /// library does not offer.
    pub(crate) fn choose(scratch: &Path) -> Result<Self> {
        let _ = std::fs::remove_file(scratch);
        let file = File::create_new(scratch).map_err(Error::io("create", scratch))?;
        let owner = file.metadata().map_err(Error::io("read the owner of", scratch))?.uid();
        let _ = std::fs::remove_file(scratch);
        if owner != 0 {
            return Ok(Self { name: "this account".to_owned(), drop_to: None });
        }
        let passwd = std::fs::read_to_string("/etc/passwd").map_err(Error::io("read", "/etc/passwd"))?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| {
                let ids = ids_of(&passwd, name)?;
                Some(Self { name: (*name).to_owned(), drop_to: Some(ids) })
            })
            .ok_or(Error::NoAccount)
    }

    /// A command that runs as this account, in a directory that every account can enter.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env("LC_ALL", "C").env_remove("PGDATA").env_remove("PGPORT").env_remove("PGHOST");
        if let Some((user, group)) = self.drop_to {
            command.uid(user).gid(group);
        }
        command
    }

    /// The words before a program that make a shell run it as this account.
    pub(crate) fn words(&self) -> Vec<String> {
        self.drop_to.map_or_else(Vec::new, |(user, group)| {
            vec!["setpriv".into(), format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".into()]
        })
    }

    /// Makes a directory that only this account (and root) can use.
    pub(crate) fn own_directory(&self, path: &Path) -> Result<()> {
        std::fs::create_dir_all(path).map_err(Error::io("create", path))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(Error::io("protect", path))?;
        self.own(path)
    }

    /// Gives a file or directory to this account.
    pub(crate) fn own(&self, path: &Path) -> Result<()> {
        match self.drop_to {
            Some((user, group)) => chown(path, Some(user), Some(group)).map_err(Error::io("change the owner of", path)),
            None => Ok(()),
        }
    }

    /// Checks that this account can walk down to `path`.
    pub(crate) fn can_reach(&self, path: &Path) -> Result<()> {
        let Some((user, group)) = self.drop_to else { return Ok(()) };
        for directory in path.ancestors().skip(1) {
            let meta = std::fs::metadata(directory).map_err(Error::io("read", directory))?;
            let bit = if meta.uid() == user {
                0o100
            } else if meta.gid() == group {
                0o010
            } else {
                0o001
            };
            if meta.mode() & bit == 0 {
                return Err(Error::Unreachable { account: self.name.clone(), directory: directory.to_owned() });
            }
        }
        Ok(())
    }
}

/// User and group id of an account in the text of `/etc/passwd`.
fn ids_of(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let user = fields.nth(1)?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        Some((user, group))
    })
}

#[cfg(test)]
mod tests {
    use super::ids_of;

    #[test]
    fn accounts_are_read_by_their_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgresql:x:7:8::/:/x\npostgres:x:101:104:PostgreSQL:/var:/bin/sh\nbroken\n";
        assert_eq!(ids_of(passwd, "postgres"), Some((101, 104)));
        assert_eq!(ids_of(passwd, "nobody"), None);
        assert_eq!(ids_of(passwd, "broken"), None);
    }
}
