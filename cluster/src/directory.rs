//! Where a cluster lives: its directory, lock and socket, and the data that `initdb` makes once.

use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use crate::account::Account;
use crate::binaries::Binaries;
use crate::control::run;
use crate::error::{Error, Result};
use crate::server::{Location, Options, USER};

/// A socket's path has at most 107 bytes on Linux and 103 on macOS.
const SOCKET_PATH_LIMIT: usize = 100;

/// `/var/lib/assay/postgres` for root, else `$XDG_DATA_HOME/assay/postgres` or `~/.local/share/assay/postgres`.
///
/// Root's own home is closed to the account that the server runs as.
#[must_use]
pub fn default_directory(home: Option<&Path>, xdg_data_home: Option<&Path>, root: bool) -> PathBuf {
    if root {
        return PathBuf::from("/var/lib/assay/postgres");
    }
    let data = xdg_data_home.map(Path::to_owned).or_else(|| home.map(|home| home.join(".local/share")));
    data.unwrap_or_else(std::env::temp_dir).join("assay/postgres")
}

/// Makes `data/` once. A half-made one, from a killed `initdb`, is thrown away: only a rename makes it count.
pub(crate) fn initialise(binaries: &Binaries, account: &Account, directory: &Path) -> Result<String> {
    let password_file = directory.join("password");
    let data = directory.join("data");
    if data.exists() {
        return std::fs::read_to_string(&password_file).map_err(Error::io("read", &password_file));
    }
    let password = random_word()?;
    std::fs::write(&password_file, &password).map_err(Error::io("write", &password_file))?;
    std::fs::set_permissions(&password_file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(Error::io("protect", &password_file))?;
    account.own(&password_file)?;
    let unfinished = directory.join("data.new");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(Error::io("remove", &unfinished))?;
    }
    let mut initdb = account.command(&binaries.program("initdb"));
    initdb.arg("-D").arg(&unfinished).args(["-U", USER, "-E", "UTF8", "--locale=C"]);
    initdb.args(["--auth-local=trust", "--auth-host=scram-sha-256"]);
    initdb.arg(format!("--pwfile={}", password_file.display()));
    run("initdb", &mut initdb, None)?;
    let settings = unfinished.join("postgresql.conf");
    let mut text = std::fs::read_to_string(&settings).map_err(Error::io("read", &settings))?;
    text.push_str("\ninclude_if_exists = 'assay.conf'\n");
    std::fs::write(&settings, text).map_err(Error::io("write", &settings))?;
    account.own(&settings)?;
    std::fs::rename(&unfinished, &data).map_err(Error::io("rename", &unfinished))?;
    Ok(password)
}

/// Makes the cluster's directory if it is missing.
pub(crate) fn make_directory(options: &Options) -> Result<PathBuf> {
    let directory = match &options.location {
        Location::Persistent(directory) => directory.clone(),
        Location::Temporary => fresh_directory(options.parent.clone().unwrap_or_else(std::env::temp_dir)),
    };
    std::fs::create_dir_all(&directory).map_err(Error::io("create", &directory))?;
    directory.canonicalize().map_err(Error::io("find", &directory))
}

pub(crate) fn take_lock(directory: &Path) -> Result<File> {
    let path = directory.join("lock");
    let file = File::create(&path).map_err(Error::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { directory: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Error::Io { action: "lock", path, source }),
    }
}

/// `run/` in the cluster's directory, or a short path when the socket's would be too long for the system.
pub(crate) fn socket_directory(directory: &Path) -> PathBuf {
    let inside = directory.join("run");
    if inside.as_os_str().len() + "/.s.PGSQL.65535".len() <= SOCKET_PATH_LIMIT {
        return inside;
    }
    let name = directory
        .to_string_lossy()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    PathBuf::from(format!("/tmp/assay-run-{name:016x}"))
}

/// A name under a directory that no other process and no other call uses.
fn fresh_directory(parent: PathBuf) -> PathBuf {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    parent.join(format!("assay-pg-{}-{call}-{now:x}", std::process::id()))
}

/// 32 hexadecimal digits from the system's randomness.
fn random_word() -> Result<String> {
    let mut bytes = [0_u8; 16];
    let source = Path::new("/dev/urandom");
    let mut file = File::open(source).map_err(Error::io("open", source))?;
    file.read_exact(&mut bytes).map_err(Error::io("read", source))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
