//! Services that are written with the Python package.

use daebus_tests::{Process, PythonService, RedisServer, until};
use serde_json::json;

use crate::program::{daebus, run};

#[test]
fn a_python_service_is_called_listened_to_and_sent_to() {
    let redis = RedisServer::start();
    let _python = PythonService::start("py_service", &redis);
    let ran = run(&redis, &["call", "py_service", "add", r#"{"a": 40, "b": 2}"#, "--json"]).ended(0);
    assert_eq!(ran.objects(), [json!({"answer": {"sum": 42}})]);
    let ran = run(&redis, &["call", "py_service", "count", r#"{"to": 1}"#, "--json"]).ended(0);
    assert_eq!(ran.objects(), [json!({"progress": {"at": 1}}), json!({"answer": {"counted": 1}})]);
    let ran = run(&redis, &["call", "py_service", "fail"]).ended(1);
    assert_eq!(ran.err, "error: the disk is full, ärgerlich\n");

    let mut listener = Process::start(&mut daebus(&redis, &["listen", "from_python", "-n", "1", "--json"]));
    until("the listener subscribes", || redis.cli(&["PUBSUB", "NUMSUB", "from_python"]).ends_with('1'));
    run(&redis, &["call", "py_service", "shout", r#"{"loud": true}"#]).ended(0);
    assert_eq!(listener.wait().code(), Some(0), "{}", listener.said());
    listener.line(r#""payload":{"loud":true}"#);

    let ran = run(&redis, &["send", "to_python", r#"{"n": 1}"#]).ended(0);
    assert_eq!(ran.out, "1 receiver\n");
    until("the Python service has the message", || {
        let ran = run(&redis, &["call", "py_service", "heard", "--json"]).ended(0);
        ran.objects() == [json!({"answer": {"heard": [{"n": 1}]}})]
    });

    let ran = run(&redis, &["ping", "py_service"]).ended(3);
    assert!(ran.err.contains("announces no instance, as services written in Python"), "{ran:?}");
}
