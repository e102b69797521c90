//! The examples of several processes: a service and its caller, and one caller of three workers.

use daebus_tests::{Process, RedisServer, example};

fn start(name: &str, redis: &RedisServer) -> Process {
    Process::start(example(name).env("DAEBUS_URL", redis.url()))
}

#[test]
fn shopper_uses_the_list_of_the_shopping_service() {
    let redis = RedisServer::start();
    let service = start("shopping_service", &redis);
    service.line("shopping_service is ready");
    let output = example("shopper").env("DAEBUS_URL", redis.url()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    // As Python writes a list, but for the quotes.
    let expected = "[]\n['orange']\n['orange', 'bread', 'cheese']\n[]\n";
    assert_eq!(printed.replace('"', "'"), expected);
}

#[test]
fn wifi_asks_for_the_password_in_the_terminal() {
    let redis = RedisServer::start();
    let service = start("wifi", &redis);
    service.line("wifi_service is ready");
    let mut asker =
        Process::start(example("wifi").args(["connect", "office"]).env("DAEBUS_URL", redis.url()));
    asker.line("Scanning …");
    asker.tell("wrong");
    asker.tell("secret");
    asker.line("connected to office as 192.168.1.7");
    assert_eq!(asker.wait().code(), Some(0), "{}", asker.said());
    let output = example("wifi").args(["connect", "home"]).env("DAEBUS_URL", redis.url()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("no network"), "{error}");
}

#[test]
fn logs_are_followed() {
    let redis = RedisServer::start();
    let service =
        Process::start(example("logs").env("DAEBUS_URL", redis.url()).env("DAEBUS_HTTP", "127.0.0.1:0"));
    service.line("log_service is ready");
    let follower = Process::start(example("logs").args(["follow", "7"]).env("DAEBUS_URL", redis.url()));
    follower.line("line 17");
    follower.line("line 27");
    assert!(!follower.said().contains("line 16"), "{}", follower.said());
}

/// Takes 10 to 20 s: until the presence of the killed worker has expired.
#[test]
fn workers_answer_all_calls_although_one_is_killed() {
    let redis = RedisServer::start();
    let mut workers = start("workers", &redis);
    workers.line("killing worker ");
    assert_eq!(workers.wait().code(), Some(0), "{}", workers.said());
    // The lines after the end of the process are read by a thread.
    workers.line("the sum of 300 squares is 9045050");
    let said = workers.said();
    let shares: Vec<u32> = said
        .lines()
        .filter(|line| line.ends_with(" calls"))
        .map(|line| line.split(' ').nth(3).unwrap().parse().unwrap())
        .collect();
    assert_eq!((shares.len(), shares.iter().sum::<u32>()), (3, 300), "{said}");
    assert!(said.contains(" has squared "), "{said}");
}
