use super::*;

fn shell(script: &str) -> (Process, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    let process = Process::start("shell", &command, &dir.path().join("log"), End::Kill).unwrap();
    (process, dir)
}

fn is_there(id: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    !matches!(
        state.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()),
        None | Some('Z' | 'X')
    )
}

#[tokio::test]
async fn what_does_not_stop_is_killed_with_its_children() {
    let (mut process, _dir) = shell("trap '' TERM; sleep 600 & echo $!; wait; wait; wait");
    let child = loop {
        if let Ok(id) = fs::read_to_string(process.log()).unwrap().trim().parse() {
            break id;
        }
        tokio::time::sleep(LOOK).await;
    };
    assert!(!process.stop(Duration::from_millis(100)).await);
    assert!(!is_there(process.id()));
    while is_there(child) {
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test]
async fn what_ends_early_tells_its_last_words() {
    let (process, _dir) = shell("echo first; echo last words >&2; exit 3");
    let fault = process.finish(END_WITHIN).await.unwrap_err().to_string();
    assert!(
        fault.contains("exit status: 3") && fault.contains("last words"),
        "{fault}"
    );
}

#[test]
fn a_child_dies_with_us_however_we_die() {
    // Another copy of this very test program starts a child and is killed.
    let (mark, role) = ("ENGINES_TEST_CHILD_ID", "ENGINES_TEST_STARTS_A_CHILD");
    if let Ok(file) = std::env::var(role) {
        let (process, _dir) = shell("sleep 600");
        fs::write(file, process.id().to_string()).unwrap();
        std::thread::sleep(Duration::from_mins(10));
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(mark);
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::tests::a_child_dies_with_us_however_we_die"])
        .env(role, &file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let child: u32 = loop {
        if let Some(id) = fs::read_to_string(&file).ok().and_then(|id| id.parse().ok()) {
            break id;
        }
        std::thread::sleep(LOOK);
    };
    assert!(is_there(child));
    parent.kill().unwrap();
    parent.wait().unwrap();
    while is_there(child) {
        std::thread::sleep(LOOK);
    }
}
