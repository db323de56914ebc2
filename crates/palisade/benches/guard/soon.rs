//! How soon a change holds.

use std::time::{Duration, Instant};

use crate::figures::{micros, print_times};
use crate::lab::Lab;
use crate::world::{client, pod, servers, world};

/// "Permission denied": what a refused connect returns.
const EACCES: i32 = 13;

/// From the rename of the policy file to the first connect that is judged by it, both ways.
pub fn policy_change(quick: bool) {
    let rounds = if quick { 2 } else { 40 };
    let yaml = world(10);
    let lab = Lab::up("bench-policy", &yaml, 1);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let targets = servers(&lab, 9);
    let mut targets = targets.iter().cycle();
    let mut client = client(&lab);
    let mut connect = || {
        // Not faster than a server accepts.
        std::thread::sleep(Duration::from_micros(200));
        client.call(targets.next().expect("they go round"))
    };
    assert!(connect().ok, "the rule allows it before it is changed");
    let denied = yaml.replace("action: Allow", "action: Deny");
    let (mut refusing, mut allowing, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        refusing.push(time_until(&lab, &denied, || connect().errno == Some(EACCES)));
        let status = agent.ask(r#"{"status":{}}"#).expect("the agent answers");
        seen.push(status["lastChangeMicroseconds"].as_u64().unwrap_or(0));
        allowing.push(time_until(&lab, &yaml, || connect().ok));
    }
    println!("from the rename of a policy file, {} pods, {rounds} times", 10);
    print_times("to the first refused connect", &mut refusing);
    print_times("to the first allowed connect", &mut allowing);
    print_times("of it, from seen to in the kernel", &mut seen);
}

fn time_until(lab: &Lab, yaml: &str, mut holds: impl FnMut() -> bool) -> u64 {
    let begun = Instant::now();
    lab.replace(yaml);
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the change never holds");
    }
    micros(begun)
}

/// From the request to add a pod, and from its appearance in the cluster, to guarded.
pub fn new_pod(quick: bool) {
    let rounds = if quick { 2 } else { 20 };
    let lab = Lab::up("bench-pod", &world(10), 1);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let (mut whole, mut guarding) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let name = format!("new-{round}");
        let file = lab.manifests().with_file_name(format!("{name}.yaml"));
        std::fs::write(&file, pod(&name)).expect("it can be written");
        let begun = Instant::now();
        let mut adding =
            lab.command(&["lab", "pod", "add", "-f", &file.display().to_string()]).spawn().expect("it starts");
        let uid = wait_for(|| uid_of(&lab, &name));
        let appeared = Instant::now();
        wait_for(|| agent.is_guarded(&uid).then_some(()));
        whole.push(micros(begun));
        guarding.push(micros(appeared));
        assert!(adding.wait().expect("it ends").success(), "the pod is added");
    }
    println!("a new pod, beside 10 others, {rounds} times");
    print_times("from the request to guarded", &mut whole);
    print_times("from its appearance to guarded", &mut guarding);
}

fn uid_of(lab: &Lab, name: &str) -> Option<String> {
    let inventory = lab.inventory();
    let pod = inventory.pods.iter().find(|pod| pod.meta.name().starts_with(name))?;
    pod.meta.uid.as_ref().map(ToString::to_string)
}

fn wait_for<T>(look: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it never comes");
        std::thread::sleep(Duration::from_micros(500));
    }
}
