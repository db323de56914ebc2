//! `palisade net lint` as its user meets it: on the example application, on published ones, and in CI.

use expect_test::{Expect, expect};

use crate::session::{self, published};

/// Standard output, standard error, and the exit code.
fn run(arguments: &[&str], input: &str) -> (String, String, i32) {
    session::run(&format!("net lint {}", arguments.join(" ")), input)
}

#[track_caller]
fn shows(arguments: &[&str], input: &str, expected: Expect) {
    let (out, errors, code) = run(arguments, input);
    expected.assert_eq(&format!("{out}{errors}[exit {code}]\n"));
}

/// Two policies: one opens a Service's port, one is contained in it.
const WORLD: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c, image: x, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {}}]
    ports: [{port: 80}]
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 80}]
"#;

#[test]
fn the_example_is_clean() {
    shows(
        &["-f", "examples/shop", "--at", "2026-11-22T00:00:00Z"],
        "",
        expect![[r#"
        no findings
        [exit 0]
    "#]],
    );
}

#[test]
fn sock_shop_names_a_pod_that_nobody_is() {
    let Some(folder) = published("sock-shop") else { return };
    let folder = folder.to_str().expect("a path in UTF-8").to_owned();
    let (out, errors, code) = run(&["-f", &folder], "");
    expect![[r#"
        sock-shop/networkpolicies/netpol-cart-access.yaml:2: medium: podSelector `name=cart` matches no pod of namespace `sock-shop` [selector-matches-nothing]
          NetworkPolicy sock-shop/cart-access
          why: the policy guards nobody, and who was meant is open
          fix: did you mean `name: carts`?

        sock-shop/networkpolicies/netpol-cart-db-access.yaml:13: medium: peer `name=cart` matches no pod of namespace `sock-shop` [peer-matches-nothing]
          NetworkPolicy sock-shop/carts-db-access
          why: the rule opens, or denies, nothing by this peer
          fix: did you mean `name: carts`?

        sock-shop/networkpolicies/netpol-cortex-access.yaml:12: medium: peer `name=cortex` matches no pod of namespace `sock-shop` [peer-matches-nothing]
          NetworkPolicy sock-shop/cortex-access
          why: the rule opens, or denies, nothing by this peer

        3 findings: 3 medium
        [exit 1]
    "#]].assert_eq(&format!("{}{errors}[exit {code}]\n", out.replace(&folder, "sock-shop")));
}

#[test]
fn online_boutique_is_clean() {
    let Some(folder) = published("online-boutique") else { return };
    let (manifests, policies) = (folder.join("manifests"), folder.join("networkpolicies"));
    let paths = [manifests, policies].map(|path| path.to_str().expect("a path in UTF-8").to_owned());
    shows(
        &["-f", &paths[0], "-f", &paths[1]],
        "",
        expect![[r#"
        no findings
        [exit 0]
    "#]],
    );
}

#[test]
fn a_finding_says_where_why_and_what_to_do() {
    shows(
        &["-f", "-"],
        WORLD,
        expect![[r#"
        <stdin>:18: high: no pod listens on TCP 80: that is the port of Service `web`, whose pods listen on 8080 [service-port-as-pod-port]
          NetworkPolicy shop/web ingress[0].ports[0]
          why: a policy judges what reaches the pod, after the Service's address and
               port were translated
          fix: open 8080 instead of 80
            | - port: 8080
          see: <stdin>:7: Service shop/web sends 80 to 8080

        <stdin>:20: high: no pod listens on TCP 80: that is the port of Service `web`, whose pods listen on 8080 [service-port-as-pod-port]
          NetworkPolicy shop/web ingress[1].ports[0]
          why: a policy judges what reaches the pod, after the Service's address and
               port were translated
          fix: open 8080 instead of 80
            | - port: 8080
          see: <stdin>:7: Service shop/web sends 80 to 8080

        <stdin>:20: low: all that this rule covers is covered by NetworkPolicy shop/web ingress[0] [contained-rule]
          NetworkPolicy shop/web ingress[1]
          why: removing the rule changes no answer: who relies on it to open or close
               something relies on the other
          fix: remove the rule, or narrow the other one
          see: <stdin>:18: NetworkPolicy shop/web ingress[0]

        3 findings: 2 high, 1 low
        [exit 1]
    "#]],
    );
}

#[test]
fn fail_on_decides_the_exit_code_and_rules_can_be_chosen() {
    let code = |arguments: &[&str]| run(&[&["-f", "-"], arguments].concat(), WORLD).2;
    assert_eq!(code(&[]), 1, "a finding is high");
    assert_eq!(code(&["--fail-on", "critical"]), 0);
    assert_eq!(code(&["--ignore", "service-port-as-pod-port"]), 0, "what is left is low");
    assert_eq!(code(&["--ignore", "service-port-as-pod-port", "--fail-on", "low"]), 1);
    assert_eq!(code(&["--rule", "every-port", "--fail-on", "info"]), 0);
    let (out, _, _) = run(&["-f", "-", "--rule", "contained-rule"], WORLD);
    assert!(out.contains("[contained-rule]") && !out.contains("[service-port-as-pod-port]"), "{out}");
}

#[test]
fn problems_that_can_change_answers_end_with_3_and_are_told_whatever_was_asked_for() {
    let broken = format!("{WORLD}---\nkind: NetworkPolicy\nspec: [\n");
    let (out, errors, code) = run(&["-f", "-", "--rule", "every-port"], &broken);
    assert_eq!((errors.as_str(), code), ("", 3), "{out}");
    assert!(out.contains("[yaml-syntax]"), "{out}");
}

#[test]
fn input_that_is_no_use_and_rules_that_are_none_end_with_2() {
    assert_eq!(run(&["-f", "-"], "kind: NetworkPolicy\nspec: [\n").2, 2);
    shows(
        &["-f", "-", "--rule", "no-such-rule"],
        WORLD,
        expect![[r#"
        error: there is no rule `no-such-rule`

        hint: palisade net lint --list-rules
        [exit 2]
    "#]],
    );
    assert_eq!(run(&["-f", "-", "--fail-on", "error"], WORLD).2, 2);
}

#[test]
fn every_form_comes_out_of_it() {
    let form = |name: &str| run(&["-f", "-", "-o", name], WORLD).0;
    let json: serde_json::Value = serde_json::from_str(&form("json")).expect("it is JSON");
    assert_eq!((&json["version"], &json["findings"][0]["rule"]), (&1.into(), &"service-port-as-pod-port".into()));
    let sarif: serde_json::Value = serde_json::from_str(&form("sarif")).expect("it is JSON");
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "service-port-as-pod-port");
    assert_eq!(sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"], 18);
    assert!(form("junit").starts_with("<?xml"));
    assert!(form("markdown").starts_with("### `palisade net lint`: 3 findings: 2 high, 1 low"));
}

#[test]
fn the_rules_are_listed() {
    shows(
        &["--list-rules"],
        "",
        expect![[r#"
        RULE                      SEVERITY  WHAT IT FINDS
        allow-expires             medium    an Allow has ended, or ends within two weeks
        and-or                    high      two peers look as if one was meant: OR instead of AND
        contained-rule            low       a rule is contained in another
        denies-nothing            high      a policy that is named as if it denied lets everyone in
        dns-forgotten             high      egress is closed, pods are opened by name, and DNS is not
        duplicate-policy          low       a NetworkPolicy is a copy of another
        empty-peer-list           high      an empty list of peers or ports, which means all
        equal-priority            medium    two policies of a tier have one priority
        every-port                low       a range of ports is every port
        generated-label           medium    a selector asks for a label that changes with every rollout
        idle-allow                low       an Allow opens what nothing closes
        idle-deny                 medium    a Deny never decides
        ip-block-of-pods          medium    a block of addresses means pods
        ip-block-of-services      high      a block of addresses covers those of Services alone
        label-drift               medium    a selector and a workload's labels have drifted apart
        missing-consent           medium    an Allow reaches into a closed namespace that has not agreed
        missing-namespace         low       a policy lies in a namespace that has no object
        named-port-of-nobody      medium    a rule names a port that no receiving pod has
        not-judged-yet            medium    a rule whose means are not there yet
        overridden-allow          medium    an Allow is covered by a Deny as a whole
        peer-matches-nothing      medium    a peer means no pod
        peer-not-in-input         info      a peer means pods of namespaces that have none in the input
        probes-forgotten          high      a Perimeter refuses the kubelet's probes
        selector-matches-nothing  medium    a policy selects no pod
        selects-host-network      medium    a policy selects pods on their node's network
        service-port-as-pod-port  high      a rule opens the port of a Service, on which no pod listens
        shadowed-tier-rule        medium    a rule of a tier is never asked
        [exit 0]
    "#]],
    );
}
