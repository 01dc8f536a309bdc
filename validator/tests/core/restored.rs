//! A database that was restored from an older copy, and ledgers that are begun anew beside the first.

use ledger::LedgerReader;
use ledger::checkpoint::{CheckpointDirectory, Contradiction};
use sqlx::{Connection, Executor, PgConnection};
use validator::{Error, ValidatorConfig};

use crate::world::{Database, World, challenge, close_epoch, ended, honest};

/// Statements about databases, which no session of theirs may run.
async fn arrange(world: &World, statement: String) {
    let Database::Own(cluster) = &world.database else { panic!("no own server") };
    let mut connection = PgConnection::connect(&cluster.url_of("postgres")).await.unwrap();
    // The server itself waits some seconds for sessions that are about to end.
    connection.execute(statement.as_str()).await.unwrap();
}

fn name(world: &World) -> String {
    let url = world.database.url();
    let path = url.split('?').next().unwrap();
    path.rsplit('/').next().unwrap().to_owned()
}

async fn dump(world: &World, copy: &str) {
    arrange(world, format!("CREATE DATABASE {copy} TEMPLATE {}", name(world))).await;
}

async fn restore(world: &World, copy: &str) {
    let name = name(world);
    arrange(world, format!("DROP DATABASE {name} WITH (FORCE)")).await;
    arrange(world, format!("CREATE DATABASE {name} TEMPLATE {copy}")).await;
}

fn config(world: &World, ledger_number: u32) -> ValidatorConfig {
    ValidatorConfig { ledger_number, ..world.config() }
}

async fn vouched_for(world: &World) -> u64 {
    let directory = CheckpointDirectory::new(world.config().checkpoint_directory);
    directory.read(world.reader().await.origin()).unwrap().unwrap().checkpoint.size
}

/// Plays a round and closes an epoch.
async fn epoch(world: &World, config: ValidatorConfig, number: u64) {
    let running = world.start(config).await;
    running.handle.accept(challenge(&format!("c{number}"))).await.unwrap();
    ended(&running.handle, &format!("c{number}")).await;
    assert_eq!(close_epoch(&running.handle, number).await.reason, "");
    running.stop().await;
}

/// Two starts, and what was said.
async fn refused(world: &World) -> Contradiction {
    let mut said = Vec::new();
    for _ in 0..2 {
        match world.try_start(world.config()).await.err().unwrap() {
            Error::Ledger(ledger::Error::Contradiction(contradiction)) => said.push(contradiction),
            other => panic!("{other}"),
        }
    }
    assert_eq!(said[0], said[1]);
    said[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_appended_to_a_log_that_the_checkpoint_outside_contradicts() {
    let world = World::on_own_server(honest()).await;
    dump(&world, "empty").await;
    world.start(world.config()).await.stop().await;
    dump(&world, "older").await;
    epoch(&world, world.config(), 0).await;
    let outside = vouched_for(&world).await;
    let whole = world.reader().await.head().await.unwrap().size;

    restore(&world, "older").await;
    let size = world.reader().await.head().await.unwrap().size;
    assert!(size < outside && outside <= whole, "{size}, {outside}, {whole}");
    assert_eq!(refused(&world).await, Contradiction::Shorter { size, outside });
    assert_eq!(world.reader().await.head().await.unwrap().size, size);

    // Somewhere the older copy went on without knowing of the checkpoint, until it was longer.
    let elsewhere = tempfile::tempdir().unwrap();
    let blind = ValidatorConfig { checkpoint_directory: elsewhere.path().to_owned(), ..world.config() };
    epoch(&world, blind.clone(), 0).await;
    epoch(&world, blind, 1).await;
    let size = world.reader().await.head().await.unwrap().size;
    assert!(size > outside, "{size}, {outside}");
    assert_eq!(refused(&world).await, Contradiction::Different { outside });
    assert_eq!(world.reader().await.head().await.unwrap().size, size);

    // The next number goes on, beside the one that is refused.
    epoch(&world, config(&world, 1), 0).await;
    world.assert_sound_of(1).await;
    assert_eq!(world.reader().await.head().await.unwrap().size, size);
    assert_eq!(vouched_for(&world).await, outside);

    // A database without the ledger does not begin it a second time.
    restore(&world, "empty").await;
    assert_eq!(refused(&world).await, Contradiction::Shorter { size: 0, outside });
    assert_eq!(LedgerReader::list(&world.database.url()).await.unwrap(), Vec::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_begun_anew_stands_beside_the_old_one_and_both_audit() {
    let world = World::new(honest()).await;
    epoch(&world, world.config(), 0).await;
    let old = world.reader().await.head().await.unwrap();
    epoch(&world, config(&world, 1), 0).await;
    let (first, second) = (world.reader().await, world.reader_of(1).await);
    assert_eq!(second.origin(), format!("{}/1", first.origin()));
    assert_eq!(first.head().await.unwrap(), old, "the old one stays as it was");
    for number in [0, 1] {
        world.assert_sound_of(number).await;
    }
    // Each goes on by its number.
    epoch(&world, config(&world, 1), 1).await;
    world.start(world.config()).await.stop().await;
    assert!(first.head().await.unwrap().size > old.size);
    for number in [0, 1] {
        world.assert_sound_of(number).await;
    }
}
