//! The server itself: make its directory, start, adopt, stop.
//!
//! Layout of a cluster directory: `data/` (PostgreSQL's own), `run/` (the unix socket), `log`, `password`, `lock`, `start.lock`.

use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use sqlx::Connection;

use crate::account::Account;
use crate::binaries::Binaries;
use crate::control::{read_pid_file, remove_stale_pid_file, run};
use crate::error::{Error, Result};

/// The superuser of a private cluster.
const USER: &str = "assay";
/// The port in the socket's file name when there is no TCP.
const SOCKET_PORT: u16 = 5432;
/// A socket's path has at most 107 bytes on Linux and 103 on macOS.
const SOCKET_PATH_LIMIT: usize = 100;
/// How often a free TCP port is drawn again when another program took it first.
const PORT_ATTEMPTS: usize = 3;

/// Where the data lies.
#[derive(Debug, Clone)]
pub enum Location {
    /// In this directory, kept after the server stops.
    Persistent(PathBuf),
    /// In a fresh directory under [`Options::parent`], removed when the [`Cluster`] is dropped.
    Temporary,
}

/// How a cluster is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the data lies.
    pub location: Location,
    /// Where a temporary cluster's directory is made; `None` for the system's temporary directory.
    pub parent: Option<PathBuf>,
    /// Also listen on 127.0.0.1 at this port, with a password; 0 draws a free one. `None`: unix socket only.
    pub tcp_port: Option<u16>,
    /// Wait for the disk at each commit. Only tests may switch it off.
    pub fsync: bool,
    /// The database that is made if it is missing, and that [`Cluster::url`] names.
    pub database: String,
    /// Further settings for the server, name and value.
    pub settings: Vec<(String, String)>,
    /// How long a start or stop may take; recovery after a crash counts.
    pub timeout: Duration,
}

impl Options {
    /// A lasting cluster in `directory`.
    #[must_use]
    pub fn persistent(directory: impl Into<PathBuf>) -> Self {
        Self { location: Location::Persistent(directory.into()), ..Self::temporary() }
    }

    /// A cluster that is removed at the end.
    #[must_use]
    pub fn temporary() -> Self {
        Self {
            location: Location::Temporary,
            parent: None,
            tcp_port: None,
            fsync: true,
            database: USER.to_owned(),
            settings: Vec::new(),
            timeout: Duration::from_secs(60),
        }
    }
}

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

/// How a server stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Ends sessions, writes a checkpoint.
    Fast,
    /// As a crash would: no checkpoint, recovery at the next start.
    Immediate,
}

/// A private server. Dropping it stops the server, and removes a temporary one's directory.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    options: Options,
    account: Account,
    binaries: Binaries,
    socket_directory: PathBuf,
    port: u16,
    password: String,
    running: bool,
    /// Held as long as this value lives: one owner per directory, or several who share.
    pub(crate) lock: File,
}

impl Cluster {
    /// Starts a cluster, or adopts one that a killed process left running in the same directory.
    ///
    /// # Errors
    /// No binaries, no account to drop to, a directory in use or out of reach, or what `initdb` and `pg_ctl` said.
    pub async fn start(options: Options) -> Result<Self> {
        check_name(&options.database)?;
        let cluster = tokio::task::spawn_blocking(move || Self::start_blocking(options))
            .await
            .map_err(|error| Error::io("start a server in", "")(std::io::Error::other(error)))??;
        cluster.create_database(&cluster.options.database).await?;
        Ok(cluster)
    }

    fn start_blocking(options: Options) -> Result<Self> {
        let binaries = Binaries::find()?;
        let directory = make_directory(&options)?;
        let lock = take_lock(&directory)?;
        let account = Account::choose(&directory.join("owner"))?;
        Self::start_locked(options, binaries, directory, account, lock)
    }

    /// Starts or adopts the server of a directory that nobody else is starting or stopping.
    pub(crate) fn start_locked(
        options: Options,
        binaries: Binaries,
        directory: PathBuf,
        account: Account,
        lock: File,
    ) -> Result<Self> {
        account.own_directory(&directory)?;
        account.can_reach(&directory.join("data"))?;
        let socket_directory = socket_directory(&directory);
        account.own_directory(&socket_directory)?;
        let password = initialise(&binaries, &account, &directory)?;
        let mut cluster = Self {
            directory,
            options,
            account,
            binaries,
            socket_directory,
            port: SOCKET_PORT,
            password,
            running: false,
            lock,
        };
        remove_stale_pid_file(&cluster.data())?;
        if !cluster.adopt() {
            cluster.start_server()?;
        }
        Ok(cluster)
    }

    /// Takes over a running server of this directory if it listens as these options ask.
    fn adopt(&mut self) -> bool {
        let Some(found) = read_pid_file(&self.data()) else { return false };
        let mut status = self.pg_ctl("status");
        if run("pg_ctl status", &mut status, None).is_err() {
            return false;
        }
        self.running = true;
        let fits = found.tcp == self.options.tcp_port.is_some() && found.socket_directory == self.socket_directory;
        if !fits {
            return self.stop_server(StopMode::Fast).is_err();
        }
        tracing::info!(process = found.process, "adopted a PostgreSQL server that was left running");
        self.port = found.port;
        true
    }

    fn start_server(&mut self) -> Result<()> {
        let draw = self.options.tcp_port == Some(0);
        let mut attempts = if draw { PORT_ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            self.port = match self.options.tcp_port {
                None => SOCKET_PORT,
                Some(0) => free_port()?,
                Some(port) => port,
            };
            self.write_settings()?;
            let mut start = self.pg_ctl("start");
            let log = self.directory.join("log");
            start.arg("-l").arg(&log);
            match run("pg_ctl start", &mut start, Some(&log)) {
                Ok(()) => break,
                Err(error) if attempts == 0 => return Err(error),
                Err(error) => tracing::debug!(%error, "drawing another port"),
            }
        }
        self.running = true;
        Ok(())
    }

    fn write_settings(&self) -> Result<()> {
        let tcp = if self.options.tcp_port.is_some() { "127.0.0.1" } else { "" };
        let on = if self.options.fsync { "on" } else { "off" };
        let mut text = format!(
            "# written at each start\nlisten_addresses = '{tcp}'\nport = {port}\nunix_socket_directories = '{socket}'\n\
             unix_socket_permissions = 0700\nfsync = {on}\nfull_page_writes = {on}\nsynchronous_commit = {on}\njit = off\n\
             max_wal_size = '2GB'\ncheckpoint_timeout = '15min'\nlog_min_messages = warning\n",
            port = self.port,
            socket = quoted(&self.socket_directory.to_string_lossy()),
        );
        for (name, value) in &self.options.settings {
            text.push_str(&format!("{name} = '{}'\n", quoted(value)));
        }
        let path = self.data().join("assay.conf");
        std::fs::write(&path, text).map_err(Error::io("write", &path))?;
        self.account.own(&path)
    }

    /// Stops the server; starting again is [`Cluster::restart`].
    ///
    /// # Errors
    /// What `pg_ctl stop` said.
    pub fn stop(&mut self, mode: StopMode) -> Result<()> {
        if !self.running {
            return Ok(());
        }
        self.stop_server(mode)
    }

    pub(crate) fn stop_server(&mut self, mode: StopMode) -> Result<()> {
        let mut stop = self.pg_ctl("stop");
        stop.arg("-m").arg(match mode {
            StopMode::Fast => "fast",
            StopMode::Immediate => "immediate",
        });
        run("pg_ctl stop", &mut stop, None)?;
        self.running = false;
        Ok(())
    }

    /// Starts a stopped server again, on the same socket; a drawn TCP port may change.
    ///
    /// # Errors
    /// What `pg_ctl start` said.
    pub fn restart(&mut self) -> Result<()> {
        self.stop(StopMode::Fast)?;
        remove_stale_pid_file(&self.data())?;
        self.start_server()
    }

    /// The URL of the cluster's own database, over the unix socket.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(&self.options.database)
    }

    /// The URL of another database of this cluster, over the unix socket.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        let socket = percent_encoded(&self.socket_directory.to_string_lossy());
        format!("postgres:///{database}?host={socket}&port={port}&user={USER}", port = self.port)
    }

    /// The URL over TCP with its password, when the cluster listens there. It is a secret.
    #[must_use]
    pub fn tcp_url(&self) -> Option<String> {
        self.options.tcp_port?;
        let (password, port, database) = (&self.password, self.port, &self.options.database);
        Some(format!("postgres://{USER}:{password}@127.0.0.1:{port}/{database}"))
    }

    /// The unix socket's path.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.socket_directory.join(format!(".s.PGSQL.{}", self.port))
    }

    /// The process id of the server, when it runs.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        read_pid_file(&self.data()).map(|running| running.process)
    }

    /// The cluster's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Leaves the server running when this value is dropped; a later [`Cluster::start`] adopts it.
    #[must_use]
    pub fn leave_running(mut self) -> Self {
        self.running = false;
        self.options.location = Location::Persistent(self.directory.clone());
        self
    }

    /// Makes a database if it is missing.
    ///
    /// # Errors
    /// A bad name, or what the server said.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        check_name(name)?;
        let mut connection =
            sqlx::PgConnection::connect(&self.url_of("postgres")).await.map_err(Error::database("connect"))?;
        let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1")
            .bind(name)
            .fetch_optional(&mut connection)
            .await;
        if found.map_err(Error::database("list databases"))?.is_none() {
            let statement = format!("CREATE DATABASE {name}");
            sqlx::query(&statement).execute(&mut connection).await.map_err(Error::database("create a database"))?;
        }
        connection.close().await.map_err(Error::database("disconnect"))
    }

    pub(crate) fn pg_ctl_program(&self) -> PathBuf {
        self.binaries.program("pg_ctl")
    }

    pub(crate) fn account_words(&self) -> Vec<String> {
        self.account.words()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.options.timeout
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn pg_ctl(&self, verb: &str) -> std::process::Command {
        let mut command = self.account.command(&self.binaries.program("pg_ctl"));
        command.arg(verb).arg("-D").arg(self.data());
        if verb != "status" {
            command.arg("-w").arg("-t").arg(self.options.timeout.as_secs().max(1).to_string());
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let temporary = matches!(self.options.location, Location::Temporary);
        if self.running {
            let mode = if temporary { StopMode::Immediate } else { StopMode::Fast };
            if let Err(error) = self.stop_server(mode) {
                tracing::warn!(%error, "the private PostgreSQL server did not stop");
                return;
            }
        }
        if temporary {
            let _ = std::fs::remove_dir_all(&self.socket_directory);
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// Makes `data/` once. A half-made one, from a killed `initdb`, is thrown away: only a rename makes it count.
fn initialise(binaries: &Binaries, account: &Account, directory: &Path) -> Result<String> {
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

fn take_lock(directory: &Path) -> Result<File> {
    let path = directory.join("lock");
    let file = File::create(&path).map_err(Error::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { directory: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Error::Io { action: "lock", path, source }),
    }
}

/// `run/` in the cluster's directory, or a short path when the socket's would be too long for the system.
fn socket_directory(directory: &Path) -> PathBuf {
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

fn free_port() -> Result<u16> {
    let listener =
        std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(Error::io("find a free port on", "127.0.0.1"))?;
    Ok(listener.local_addr().map_err(Error::io("read the port of", "127.0.0.1"))?.port())
}

/// 32 hexadecimal digits from the system's randomness.
fn random_word() -> Result<String> {
    let mut bytes = [0_u8; 16];
    let source = Path::new("/dev/urandom");
    let mut file = File::open(source).map_err(Error::io("open", source))?;
    file.read_exact(&mut bytes).map_err(Error::io("read", source))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Names go into statements that take no parameters, so they are held to plain words.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if plain && name.len() <= 63 && name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase()) {
        return Ok(());
    }
    Err(Error::BadName { name: name.to_owned() })
}

/// A value inside single quotes of a PostgreSQL configuration file.
fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\'', "''").replace('\n', " ")
}

/// Percent-encodes everything but letters, digits and `-_.~/`.
pub(crate) fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
