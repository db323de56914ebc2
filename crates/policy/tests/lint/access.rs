//! Perimeters and AccessPolicies.

use expect_test::expect;

use crate::{check, findings};

const CLOSED: &str = "
    pod shop/web app=web containers=nginx+sidecar ports=http:8080
    pod shop/db app=db ports=5432
    pod data/cache app=cache ports=6379
    perimeter shop/default {subject: {selector: {}}, except: [dns]}
";

#[test]
fn a_rule_that_several_others_cover_together() {
    check(
        r#"
        pod shop/web app=web
        pod shop/job app=job
        pod shop/db app=db
        access shop/all {rules: [{action: Allow, from: [{workload: web}, {workload: job}], to: [{workload: db}], ports: [{port: 80}, {port: 81}]}]}
        access shop/parts {rules: [{action: Allow, from: [{workload: web}], to: [{selector: {matchLabels: {app: db}}}, {workload: db}]}, {action: Allow, from: [{workload: job}], to: [{workload: db}], ports: [{port: 80}]}, {action: Allow, from: [{workload: job}], to: [{workload: db}], ports: [{port: 81}]}]}
        "#,
        expect![[r#"
            low contained-rule: AccessPolicy shop/parts: rules[1]: all that this rule covers is covered by AccessPolicy shop/all rules[0]
            low contained-rule: AccessPolicy shop/parts: rules[2]: all that this rule covers is covered by AccessPolicy shop/all rules[0]
            low idle-allow: AccessPolicy shop/all: rules[0]: nothing closes `shop/web`: this Allow changes nothing
            low idle-allow: AccessPolicy shop/parts: rules[0]: nothing closes `shop/web`: this Allow changes nothing
            low idle-allow: AccessPolicy shop/parts: rules[1]: nothing closes `shop/job`: this Allow changes nothing
            low idle-allow: AccessPolicy shop/parts: rules[2]: nothing closes `shop/job`: this Allow changes nothing
        "#]],
    );
}

#[test]
fn rules_within_others() {
    check(
        &format!(
            "{CLOSED}
            access shop/a {{rules: [{{action: Allow, from: [{{workload: web, container: nginx}}], to: [{{workload: db}}], ports: [{{port: 5432}}]}}]}}
            access shop/b {{rules: [{{action: Allow, from: [{{workload: Pod/web}}], to: [{{workload: db}}], ports: [{{port: 5432}}]}}, {{action: Allow, from: [{{workload: web}}], to: [{{selector: {{}}}}]}}]}}
            access shop/c {{rules: [{{action: Allow, from: [{{entity: world}}], to: [{{workload: web}}], expires: 2030-01-01T00:00:00Z}}, {{action: Allow, from: [{{entity: world}}], to: [{{workload: web}}]}}]}}
            "
        ),
        expect![[r#"
            low contained-rule: AccessPolicy shop/b: rules[0]: all that this rule covers is covered by AccessPolicy shop/b rules[1]
            low contained-rule: AccessPolicy shop/c: rules[0]: all that this rule covers is covered by AccessPolicy shop/c rules[1]
        "#]],
    );
}

#[test]
fn rules_of_another_action_mode_or_length_are_no_part_of_each_other() {
    check(
        &format!(
            "{CLOSED}
            access shop/a {{mode: Audit, rules: [{{action: Allow, from: [{{workload: web}}], to: [{{selector: {{}}}}]}}]}}
            access shop/b {{rules: [{{action: Allow, from: [{{workload: web}}], to: [{{workload: db}}], ports: [{{port: 5432}}]}}]}}
            access shop/c {{rules: [{{action: Allow, from: [{{workload: web}}], to: [{{workload: db}}], ports: [{{port: 1, endPort: 9000}}], expires: 2030-01-01T00:00:00Z}}]}}
            access shop/d {{rules: [{{action: Deny, from: [{{workload: web}}], to: [{{workload: db}}], ports: [{{port: 5433}}]}}]}}
            "
        ),
        expect![[""]],
    );
}

#[test]
fn an_allow_that_a_deny_takes_back() {
    check(
        &format!(
            "{CLOSED}
            access shop/a {{rules: [{{name: good, action: Allow, from: [{{workload: web}}], to: [{{workload: db}}], ports: [{{port: 5432}}]}}]}}
            access shop/b {{rules: [{{name: bad, action: Deny, from: [{{selector: {{}}}}], to: [{{workload: db}}]}}]}}
            "
        ),
        expect![[r#"
            medium overridden-allow: AccessPolicy shop/a: rules[0] "good": this Allow opens nothing: AccessPolicy shop/b rules[0] "bad" denies all that it covers
        "#]],
    );
    check(
        &format!(
            "{CLOSED}
            access shop/a {{rules: [{{name: good, action: Allow, from: [{{workload: web}}], to: [{{workload: db}}], ports: [{{port: 5432}}]}}]}}
            access shop/b {{rules: [{{name: bad, action: Deny, from: [{{workload: web}}], to: [{{workload: db}}], ports: [{{port: 22}}]}}]}}
            "
        ),
        expect![""],
    );
}

#[test]
fn an_allow_that_ended_and_one_that_ends_soon() {
    check(
        &(CLOSED.to_owned()
            + "access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: db}], ports: [{port: 1}], expires: 2025-12-31T00:00:00Z, owner: team}, {action: Allow, from: [{workload: web}], to: [{workload: db}], ports: [{port: 2}], expires: 2026-01-14T00:00:00Z}, {action: Allow, from: [{workload: web}], to: [{workload: db}], ports: [{port: 3}], expires: 2026-01-16T00:00:00Z}]}"),
        expect![[r#"
            medium allow-expires: AccessPolicy shop/a: rules[0]: this Allow ended at 2025-12-31T00:00:00Z (owner: team) and opens nothing
            info allow-expires: AccessPolicy shop/a: rules[1]: this Allow ends at 2026-01-14T00:00:00Z
        "#]],
    );
}

#[test]
fn an_allow_that_opens_what_nothing_closes() {
    check(
        r#"
        pod shop/web app=web
        pod shop/db app=db
        access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: db}]}]}
        "#,
        expect![[r#"
            low idle-allow: AccessPolicy shop/a: rules[0]: nothing closes `shop/web`: this Allow changes nothing
        "#]],
    );
    // Closed at one end, or in Audit, is closed.
    check(
        r#"
        pod shop/web app=web
        pod shop/db app=db
        perimeter shop/p {mode: Audit, subject: {selector: {matchLabels: {app: db}}}, directions: [Ingress]}
        access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: db}]}]}
        "#,
        expect![[""]],
    );
}

#[test]
fn consent_that_is_missing() {
    let missing = format!(
        "{CLOSED}
        perimeter data/default {{subject: {{selector: {{}}}}, except: [dns]}}
        access shop/a {{rules: [{{name: cache, action: Allow, from: [{{workload: web, container: nginx}}], to: [{{workload: cache, namespace: data}}], ports: [{{port: 6379}}]}}]}}
        "
    );
    check(
        &missing,
        expect![[r#"
        medium missing-consent: AccessPolicy shop/a: rules[0] "cache": `data/cache` stays closed: no rule of namespace `data` lets this in
    "#]],
    );
    // What the finding says to apply makes it go away.
    let findings = findings(&missing);
    let yaml = findings[0].fix.as_ref().and_then(|fix| fix.yaml.clone()).expect("the consent is written down");
    check(&format!("{missing}\nraw {}", yaml.trim_end().replace('\n', "\\n")), expect![[""]]);
    // Open there, nobody has to agree.
    let open = missing.replace("perimeter data/default", "perimeter data/default2").replace(
        "{selector: {}}, except: [dns]}\n        access",
        "{selector: {matchLabels: {app: none}}}}\n        access",
    );
    check(
        &open,
        expect![[r#"
        medium selector-matches-nothing: Perimeter data/default2: subject `app=none` matches no pod
    "#]],
    );
}

#[test]
fn a_deny_that_something_else_comes_before() {
    check(
        r#"
        pod shop/web app=web
        pod shop/db app=db ports=5432
        cnp tier {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Accept, to: [{namespaces: {}}]}], ingress: [{action: Accept, from: [{namespaces: {}}]}]}
        access shop/a {rules: [{action: Deny, from: [{workload: web}], to: [{workload: db}], ports: [{port: 5432}]}]}
        "#,
        expect![[r#"
            medium idle-deny: AccessPolicy shop/a: rules[0]: this Deny never decides: ClusterNetworkPolicy tier egress[0].to[0] comes first for every link that it means here
        "#]],
    );
    // A port that the tier leaves is enough for it to have a say.
    check(
        r#"
        pod shop/web app=web
        pod shop/db app=db ports=5432
        cnp tier {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Accept, to: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 5432}}}]}], ingress: [{action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 5432}}}]}]}
        access shop/a {rules: [{action: Deny, from: [{workload: web}], to: [{workload: db}], ports: [{port: 5432, endPort: 5433}]}]}
        "#,
        expect![[""]],
    );
}

#[test]
fn dns_and_probes_that_a_perimeter_cuts() {
    check(
        r#"
        pod shop/web app=web probe=8080
        pod shop/db app=db
        perimeter shop/default {subject: {selector: {}}}
        access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: db}], ports: [{port: 5432}]}]}
        "#,
        expect![[r#"
            high dns-forgotten: Perimeter shop/default: egress: `shop/web` may reach other pods but not the DNS that tells where they are
            high probes-forgotten: Perimeter shop/default: the probe of `shop/web` on port 8080 is refused
        "#]],
    );
    check(
        r#"
        pod shop/web app=web probe=8080
        pod shop/db app=db
        perimeter shop/default {subject: {selector: {}}, except: [dns, kubelet]}
        access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: db}], ports: [{port: 5432}]}]}
        "#,
        expect![[""]],
    );
}

#[test]
fn a_rule_to_a_service_names_the_services_ports() {
    check(
        &format!(
            "{CLOSED}
            svc shop/web app=web ports=80->8080
            access shop/a {{rules: [{{action: Allow, from: [{{workload: db}}], to: [{{service: web}}], ports: [{{port: 80}}]}}]}}
            access shop/b {{rules: [{{action: Allow, from: [{{workload: db}}], to: [{{workload: web}}], ports: [{{port: 80}}, {{port: web}}]}}]}}
            "
        ),
        expect![[r#"
            medium named-port-of-nobody: AccessPolicy shop/b: rules[0].ports[1]: no pod that the rule opens declares a TCP port `web`
            high service-port-as-pod-port: AccessPolicy shop/b: rules[0].ports[0]: no pod listens on TCP 80: that is the port of Service `web`, whose pods listen on 8080
        "#]],
    );
}

#[test]
fn peers_of_nobody_and_of_no_namespace() {
    check(
        &format!(
            "{CLOSED}
            access shop/a {{rules: [{{action: Allow, from: [{{workload: wbe}}], to: [{{workload: db}}]}}, {{action: Allow, from: [{{workload: prometheus, namespace: monitoring}}], to: [{{workload: db}}]}}]}}
            "
        ),
        expect![[r#"
            medium peer-matches-nothing: AccessPolicy shop/a: peer {workload: wbe} matches no pod
            info peer-not-in-input: AccessPolicy shop/a: peer {workload: prometheus, namespace: monitoring} matches no pod
        "#]],
    );
}
