//! The server itself: start, adopt, stop.
//!
//! Layout of a cluster directory: `data/` (PostgreSQL's own), `run/` (the unix socket), `log`, `password`, `lock`, `start.lock`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::Connection;

use crate::account::Account;
use crate::binaries::Binaries;
use crate::control::{read_pid_file, remove_stale_pid_file, run, wait_for_end};
use crate::directory::{initialise, make_directory, socket_directory, take_lock};
use crate::error::{Error, Result};

/// The superuser of a private cluster.
pub(crate) const USER: &str = "assay";
/// The port in the socket's file name when there is no TCP.
const SOCKET_PORT: u16 = 5432;
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
        let process = self.process();
        let mut stop = self.pg_ctl("stop");
        stop.arg("-m").arg(match mode {
            StopMode::Fast => "fast",
            StopMode::Immediate => "immediate",
        });
        run("pg_ctl stop", &mut stop, None)?;
        if let Some(process) = process {
            wait_for_end(process, &self.data());
        }
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

fn free_port() -> Result<u16> {
    let listener =
        std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(Error::io("find a free port on", "127.0.0.1"))?;
    Ok(listener.local_addr().map_err(Error::io("read the port of", "127.0.0.1"))?.port())
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
