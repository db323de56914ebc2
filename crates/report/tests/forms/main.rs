//! One report in each form, as its reader gets it; and text that would break a form if it could.

mod sarif_rules;

use expect_test::{Expect, expect};
use palisade_model::finding::{Details, Finding, PackageDetails, Rule, Severity, Suppression};
use palisade_model::{Kind, ObjectRef, Place, Problem};
use palisade_report::{Format, Report};

fn rules() -> Vec<Rule> {
    vec![
        Rule::new("service-port", Severity::High, "a rule names the port of a Service", "Policies see the pod's port."),
        Rule::new("quiet", Severity::Low, "nothing breaks it", "So it passes."),
        Rule::new("vulnerable-package", Severity::Unknown, "an advisory speaks of a package", "Update it."),
    ]
}

fn policy() -> ObjectRef {
    ObjectRef { kind: Kind::NetworkPolicy, namespace: Some("shop".into()), name: "db".into() }
}

/// One of a policy, one of an image, one that somebody lives with, and a problem of the input.
fn findings() -> Vec<Finding> {
    let place = Place::new("policies/db.yaml", 12);
    let port = rules()[0]
        .finding("port 80 is that of Service `web`, whose pods listen on 8080")
        .of(&policy())
        .part("ingress[0].ports[0]")
        .at(&place)
        .reason("a policy judges what reaches the pod, after the Service's address and port were translated: this rule opens a port on which nobody listens")
        .fix_with_yaml("name the pod's port", "- port: 8080\n")
        .related(&Place::new("app.yaml", 3), "Service shop/web sends port 80 to 8080");
    let mut old = Finding::new("quiet-not-listed", Severity::Low, "says nothing").of(&policy());
    old.suppression = Some(Suppression { by: "annotation".into(), reason: Some("wanted".into()) });
    let package = PackageDetails {
        package: "openssl".into(),
        version: "3.0.1-1".into(),
        ecosystem: "Debian:12".into(),
        purl: "pkg:deb/debian/openssl@3.0.1-1".into(),
        advisory: Some("DSA-1".into()),
        aliases: vec!["CVE-2026-1".into()],
        path: Some("/var/lib/dpkg/status".into()),
        layer: Some("sha256:00".into()),
        reachable: None,
        fixed_in: vec!["3.0.2-1".into()],
    };
    let image = Finding::new("vulnerable-package", Severity::Critical, "openssl 3.0.1-1: DSA-1 (CVE-2026-1)")
        .of_image("registry.example/web:1")
        .fix("update openssl to 3.0.2-1")
        .details(Details::Package(Box::new(package)));
    vec![port, old, image]
}

fn report(findings: Vec<Finding>) -> Report {
    Report::new("palisade net lint", "1.2.3", rules(), findings).fail_on(Severity::Medium)
}

fn whole() -> Report {
    let problem = Problem::error("yaml-syntax", "cannot read the document").at(&Place::new("b.yaml", 4));
    report(findings()).with_problems(&[problem])
}

fn written(report: &Report, format: Format) -> String {
    let mut bytes = Vec::new();
    report.write(format, &mut bytes).expect("a vector takes everything");
    String::from_utf8(bytes).expect("every form is UTF-8")
}

fn check(format: Format, expected: Expect) {
    expected.assert_eq(&written(&whole(), format));
}

#[test]
fn text_reads_in_80_columns() {
    check(
        Format::Text,
        expect![[r#"
        critical: openssl 3.0.1-1: DSA-1 (CVE-2026-1) [vulnerable-package]
          image registry.example/web:1
          fix: update openssl to 3.0.2-1

        b.yaml:4: high: cannot read the document [yaml-syntax]

        policies/db.yaml:12: high: port 80 is that of Service `web`, whose pods listen on 8080 [service-port]
          NetworkPolicy shop/db ingress[0].ports[0]
          why: a policy judges what reaches the pod, after the Service's address and
               port were translated: this rule opens a port on which nobody listens
          fix: name the pod's port
            | - port: 8080
          see: app.yaml:3: Service shop/web sends port 80 to 8080

        low (suppressed): says nothing [quiet-not-listed]
          NetworkPolicy shop/db
          suppressed by annotation: wanted

        4 findings: 1 critical, 2 high, 1 suppressed
    "#]],
    );
    for line in written(&whole(), Format::Text).lines().filter(|line| line.starts_with(' ')) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn json_carries_everything() {
    check(
        Format::Json,
        expect![[r#"
        {
          "version": 1,
          "command": "palisade net lint",
          "program": "1.2.3",
          "findings": [
            {
              "fingerprint": "b5ac17af5a47d151dd9f4fed73485bcc:1",
              "fails": true,
              "severity": "critical",
              "rule": "vulnerable-package",
              "subject": {
                "image": "registry.example/web:1"
              },
              "message": "openssl 3.0.1-1: DSA-1 (CVE-2026-1)",
              "fix": {
                "text": "update openssl to 3.0.2-1"
              },
              "details": {
                "kind": "package",
                "package": "openssl",
                "version": "3.0.1-1",
                "ecosystem": "Debian:12",
                "purl": "pkg:deb/debian/openssl@3.0.1-1",
                "advisory": "DSA-1",
                "aliases": [
                  "CVE-2026-1"
                ],
                "path": "/var/lib/dpkg/status",
                "layer": "sha256:00",
                "reachable": null,
                "fixedIn": [
                  "3.0.2-1"
                ]
              }
            },
            {
              "fingerprint": "914361feadeaa18b9cd7f589942c95eb:1",
              "fails": true,
              "severity": "high",
              "rule": "yaml-syntax",
              "place": "b.yaml:4",
              "message": "cannot read the document",
              "details": {
                "kind": "problem",
                "effect": "mayChangeAnswers"
              }
            },
            {
              "fingerprint": "8dc76e9c6d4e63060343f644e842d160:1",
              "fails": true,
              "severity": "high",
              "rule": "service-port",
              "subject": {
                "object": "NetworkPolicy shop/db"
              },
              "part": "ingress[0].ports[0]",
              "place": "policies/db.yaml:12",
              "message": "port 80 is that of Service `web`, whose pods listen on 8080",
              "reason": "a policy judges what reaches the pod, after the Service's address and port were translated: this rule opens a port on which nobody listens",
              "fix": {
                "text": "name the pod's port",
                "yaml": "- port: 8080\n"
              },
              "related": [
                {
                  "place": "app.yaml:3",
                  "message": "Service shop/web sends port 80 to 8080"
                }
              ]
            },
            {
              "fingerprint": "e844bfaaa7a79fbba8381bbdfb2a642e:1",
              "fails": false,
              "severity": "low",
              "rule": "quiet-not-listed",
              "subject": {
                "object": "NetworkPolicy shop/db"
              },
              "message": "says nothing",
              "suppression": {
                "by": "annotation",
                "reason": "wanted"
              }
            }
          ],
          "rules": [
            {
              "id": "quiet-not-listed",
              "title": "quiet not listed",
              "help": "",
              "severity": "low"
            },
            {
              "id": "service-port",
              "title": "a rule names the port of a Service",
              "help": "Policies see the pod's port.",
              "severity": "high"
            },
            {
              "id": "vulnerable-package",
              "title": "an advisory speaks of a package",
              "help": "Update it.",
              "severity": "unknown"
            },
            {
              "id": "yaml-syntax",
              "title": "yaml syntax",
              "help": "",
              "severity": "high"
            }
          ]
        }
    "#]],
    );
}

#[test]
fn sarif_is_what_code_scanning_reads() {
    check(
        Format::Sarif,
        expect![[r#"
        {
          "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
          "version": "2.1.0",
          "runs": [
            {
              "tool": {
                "driver": {
                  "name": "palisade",
                  "version": "1.2.3",
                  "rules": [
                    {
                      "id": "quiet",
                      "shortDescription": {
                        "text": "nothing breaks it"
                      },
                      "help": {
                        "text": "So it passes.",
                        "markdown": "So it passes."
                      },
                      "defaultConfiguration": {
                        "level": "note"
                      },
                      "properties": {
                        "tags": [
                          "security"
                        ],
                        "security-severity": "2.0"
                      }
                    },
                    {
                      "id": "quiet-not-listed",
                      "shortDescription": {
                        "text": "quiet not listed"
                      },
                      "defaultConfiguration": {
                        "level": "note"
                      },
                      "properties": {
                        "tags": [
                          "security"
                        ],
                        "security-severity": "2.0"
                      }
                    },
                    {
                      "id": "service-port",
                      "shortDescription": {
                        "text": "a rule names the port of a Service"
                      },
                      "help": {
                        "text": "Policies see the pod's port.",
                        "markdown": "Policies see the pod's port."
                      },
                      "defaultConfiguration": {
                        "level": "error"
                      },
                      "properties": {
                        "tags": [
                          "security"
                        ],
                        "security-severity": "8.0"
                      }
                    },
                    {
                      "id": "vulnerable-package",
                      "shortDescription": {
                        "text": "an advisory speaks of a package"
                      },
                      "help": {
                        "text": "Update it.",
                        "markdown": "Update it."
                      },
                      "defaultConfiguration": {
                        "level": "warning"
                      },
                      "properties": {
                        "tags": [
                          "security"
                        ]
                      }
                    },
                    {
                      "id": "yaml-syntax",
                      "shortDescription": {
                        "text": "yaml syntax"
                      },
                      "defaultConfiguration": {
                        "level": "error"
                      },
                      "properties": {
                        "tags": [
                          "security"
                        ],
                        "security-severity": "8.0"
                      }
                    }
                  ]
                }
              },
              "automationDetails": {
                "id": "palisade-net-lint/"
              },
              "invocations": [
                {
                  "executionSuccessful": true
                }
              ],
              "columnKind": "unicodeCodePoints",
              "results": [
                {
                  "ruleId": "vulnerable-package",
                  "ruleIndex": 3,
                  "level": "error",
                  "message": {
                    "text": "image registry.example/web:1: openssl 3.0.1-1: DSA-1 (CVE-2026-1)\nFix: update openssl to 3.0.2-1"
                  },
                  "locations": [
                    {
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "var/lib/dpkg/status"
                        },
                        "region": {
                          "startLine": 1
                        }
                      },
                      "logicalLocations": [
                        {
                          "fullyQualifiedName": "image registry.example/web:1",
                          "kind": "resource"
                        }
                      ]
                    }
                  ],
                  "partialFingerprints": {
                    "palisade/v1": "b5ac17af5a47d151dd9f4fed73485bcc:1"
                  },
                  "properties": {
                    "severity": "critical",
                    "fix": {
                      "text": "update openssl to 3.0.2-1"
                    },
                    "details": {
                      "kind": "package",
                      "package": "openssl",
                      "version": "3.0.1-1",
                      "ecosystem": "Debian:12",
                      "purl": "pkg:deb/debian/openssl@3.0.1-1",
                      "advisory": "DSA-1",
                      "aliases": [
                        "CVE-2026-1"
                      ],
                      "path": "/var/lib/dpkg/status",
                      "layer": "sha256:00",
                      "reachable": null,
                      "fixedIn": [
                        "3.0.2-1"
                      ]
                    }
                  }
                },
                {
                  "ruleId": "yaml-syntax",
                  "ruleIndex": 4,
                  "level": "error",
                  "message": {
                    "text": "cannot read the document"
                  },
                  "locations": [
                    {
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "b.yaml"
                        },
                        "region": {
                          "startLine": 4
                        }
                      }
                    }
                  ],
                  "partialFingerprints": {
                    "palisade/v1": "914361feadeaa18b9cd7f589942c95eb:1"
                  },
                  "properties": {
                    "severity": "high",
                    "details": {
                      "kind": "problem",
                      "effect": "mayChangeAnswers"
                    }
                  }
                },
                {
                  "ruleId": "service-port",
                  "ruleIndex": 2,
                  "level": "error",
                  "message": {
                    "text": "NetworkPolicy shop/db ingress[0].ports[0]: port 80 is that of Service `web`, whose pods listen on 8080\nWhy: a policy judges what reaches the pod, after the Service's address and port were translated: this rule opens a port on which nobody listens\nFix: name the pod's port"
                  },
                  "locations": [
                    {
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "policies/db.yaml"
                        },
                        "region": {
                          "startLine": 12
                        }
                      },
                      "logicalLocations": [
                        {
                          "fullyQualifiedName": "NetworkPolicy shop/db ingress[0].ports[0]",
                          "kind": "resource"
                        }
                      ]
                    }
                  ],
                  "relatedLocations": [
                    {
                      "id": 1,
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "app.yaml"
                        },
                        "region": {
                          "startLine": 3
                        }
                      },
                      "message": {
                        "text": "Service shop/web sends port 80 to 8080"
                      }
                    }
                  ],
                  "partialFingerprints": {
                    "palisade/v1": "8dc76e9c6d4e63060343f644e842d160:1"
                  },
                  "properties": {
                    "severity": "high",
                    "reason": "a policy judges what reaches the pod, after the Service's address and port were translated: this rule opens a port on which nobody listens",
                    "fix": {
                      "text": "name the pod's port",
                      "yaml": "- port: 8080\n"
                    }
                  }
                },
                {
                  "ruleId": "quiet-not-listed",
                  "ruleIndex": 1,
                  "level": "note",
                  "message": {
                    "text": "NetworkPolicy shop/db: says nothing"
                  },
                  "locations": [
                    {
                      "logicalLocations": [
                        {
                          "fullyQualifiedName": "NetworkPolicy shop/db",
                          "kind": "resource"
                        }
                      ]
                    }
                  ],
                  "partialFingerprints": {
                    "palisade/v1": "e844bfaaa7a79fbba8381bbdfb2a642e:1"
                  },
                  "suppressions": [
                    {
                      "kind": "external",
                      "justification": "wanted"
                    }
                  ],
                  "properties": {
                    "severity": "low"
                  }
                }
              ]
            }
          ]
        }
    "#]],
    );
}

#[test]
fn junit_has_a_case_for_each_finding_and_each_quiet_rule() {
    check(
        Format::Junit,
        expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="palisade net lint" tests="5" failures="3" errors="0" skipped="1">
          <testsuite name="palisade net lint" tests="5" failures="3" errors="0" skipped="1">
            <testcase classname="vulnerable-package" name="image registry.example/web:1">
              <failure type="critical" message="openssl 3.0.1-1: DSA-1 (CVE-2026-1)">critical: openssl 3.0.1-1: DSA-1 (CVE-2026-1)&#10;fix: update openssl to 3.0.2-1&#10;</failure>
            </testcase>
            <testcase classname="yaml-syntax" name="cannot read the document" file="b.yaml">
              <failure type="high" message="cannot read the document">b.yaml:4: high: cannot read the document&#10;</failure>
            </testcase>
            <testcase classname="service-port" name="NetworkPolicy shop/db ingress[0].ports[0]" file="policies/db.yaml">
              <failure type="high" message="port 80 is that of Service `web`, whose pods listen on 8080">policies/db.yaml:12: high: port 80 is that of Service `web`, whose pods listen on 8080&#10;why: a policy judges what reaches the pod, after the Service's address and port were translated: this rule opens a port on which nobody listens&#10;fix: name the pod's port&#10;- port: 8080&#10;see: app.yaml:3: Service shop/web sends port 80 to 8080&#10;</failure>
            </testcase>
            <testcase classname="quiet-not-listed" name="NetworkPolicy shop/db">
              <skipped message="wanted"/>
            </testcase>
            <testcase classname="quiet" name="nothing breaks it"/>
          </testsuite>
        </testsuites>
    "#]],
    );
}

#[test]
fn markdown_is_a_comment() {
    check(
        Format::Markdown,
        expect![[r#"
        ### `palisade net lint`: 4 findings: 1 critical, 2 high, 1 suppressed

        - **critical** image registry.example/web:1: openssl 3.0.1-1: DSA-1 (CVE-2026-1) (`vulnerable-package`)

          Fix: update openssl to 3.0.2-1

        - **high** `b.yaml:4` cannot read the document (`yaml-syntax`)

        - **high** `policies/db.yaml:12` NetworkPolicy shop/db ingress\[0\].ports\[0\]: port 80 is that of Service `web`, whose pods listen on 8080 (`service-port`)

          a policy judges what reaches the pod, after the Service's address and port were translated: this rule opens a port on which nobody listens

          Fix: name the pod's port

          ```yaml
          - port: 8080
          ```

          See `app.yaml:3`: Service shop/web sends port 80 to 8080

        - **low** (suppressed) NetworkPolicy shop/db: says nothing (`quiet-not-listed`)
    "#]],
    );
}

#[test]
fn a_clean_report_says_so_in_every_form() {
    let clean = report(Vec::new());
    assert!(!clean.fails() && !clean.is_incomplete());
    assert_eq!(written(&clean, Format::Text), "no findings\n");
    assert_eq!(written(&clean, Format::Markdown), "### `palisade net lint`: no findings\n");
    assert!(written(&clean, Format::Junit).contains("tests=\"3\" failures=\"0\""));
    sarif_rules::check(&written(&clean, Format::Sarif));
}

#[test]
fn only_open_findings_of_the_severity_fail() {
    assert!(whole().fails());
    assert!(whole().is_incomplete());
    let [_, suppressed, _] = findings().try_into().expect("there are three");
    assert!(!report(vec![suppressed.clone()]).fail_on(Severity::Unknown).fails());
    let low = Finding { suppression: None, ..suppressed };
    assert!(!report(vec![low.clone()]).fails());
    assert!(report(vec![low]).fail_on(Severity::Low).fails());
}

#[test]
fn a_fingerprint_stays_when_lines_move_and_differs_between_findings() {
    let fingerprints = |findings: Vec<Finding>| -> Vec<(String, String)> {
        let json: serde_json::Value =
            serde_json::from_str(&written(&report(findings), Format::Json)).expect("it is JSON");
        let findings = json["findings"].as_array().expect("a list").clone();
        let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().expect("a text").to_owned();
        findings.iter().map(|finding| (text(finding, "rule"), text(finding, "fingerprint"))).collect()
    };
    let before = fingerprints(findings());
    let mut moved = findings();
    moved[0].place = Some(Place::new("policies/db.yaml", 99));
    moved[0].message = "said otherwise".into();
    assert_eq!(fingerprints(moved), before);
    let all: std::collections::BTreeSet<_> = before.iter().map(|(_, fingerprint)| fingerprint).collect();
    assert_eq!(all.len(), before.len());
    // Two in one part of one object are still two.
    let twice = [findings()[0].clone(), Finding { message: "another".into(), ..findings()[0].clone() }];
    let twice = fingerprints(twice.into());
    assert_ne!(twice[0].1, twice[1].1);
    assert_eq!(twice[0].1.split(':').next(), twice[1].1.split(':').next());
}

#[test]
fn no_text_of_the_input_breaks_a_form() {
    let nasty = "]]>\"'&<script>\u{1b}[31m\u{0}\n| ``` @team \u{fffe} </failure>";
    let finding = Finding::new("service-port", Severity::High, nasty)
        .of_image(nasty)
        .part(nasty)
        .at(&Place::new("a b:c\n%ü.yaml", 0))
        .reason(nasty)
        .fix_with_yaml(nasty, format!("a: ````{nasty}"))
        .related(&Place::new(nasty, 1), nasty);
    let report = report(vec![finding]);
    let text = written(&report, Format::Text);
    assert!(!text.contains('\u{1b}') && !text.contains('\0'), "{text}");
    let json: serde_json::Value = serde_json::from_str(&written(&report, Format::Json)).expect("it is JSON");
    assert_eq!(json["findings"][0]["message"], nasty);
    let sarif = written(&report, Format::Sarif);
    sarif_rules::check(&sarif);
    assert!(sarif.contains("\"uri\": \"a%20b%3Ac%0A%25%C3%BC.yaml\""), "{sarif}");
    assert!(sarif.contains("\"startLine\": 1"));
    well_formed(&written(&report, Format::Junit));
    let markdown = written(&report, Format::Markdown);
    assert!(markdown.contains("\n  `````yaml\n"), "a fence is longer than any in it: {markdown}");
}

#[test]
fn outside_of_code_a_comment_holds_no_html_and_calls_nobody() {
    let nasty = "<img src=x> @team [a](b)";
    let finding = Finding::new("service-port", Severity::High, nasty)
        .of_image(nasty)
        .at(&Place::new(nasty, 1))
        .reason(nasty)
        .fix_with_yaml(nasty, nasty)
        .related(&Place::new(nasty, 1), nasty);
    let markdown = written(&report(vec![finding]), Format::Markdown);
    let outside: String = markdown.split('`').step_by(2).collect();
    assert!(!outside.contains(['<', '@']) && !outside.contains(" [a]"), "{outside}");
}

#[test]
fn a_long_report_ends_before_a_comment_does() {
    let many = (0..2_000).map(|number| findings()[0].clone().part(format!("ingress[{number}]"))).collect();
    let markdown = written(&report(many), Format::Markdown);
    assert!(markdown.len() < 65_536, "{}", markdown.len());
    assert!(markdown.trim_end().ends_with("more are not shown here."));
}

#[test]
fn sarif_keeps_the_rules_of_its_schema() {
    sarif_rules::check(&written(&whole(), Format::Sarif));
}

/// Elements close in the order in which they open, and nothing stands outside of the tags and attributes that needs to
/// be written otherwise.
fn well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    let body = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").expect("the declaration");
    assert!(!body.chars().any(|letter| letter < ' ' && letter != '\n' && letter != '\t'), "{body}");
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{part}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') => assert_eq!(tag.matches('"').count() % 2, 0, "{tag}"),
            None => {
                assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
                open.push(tag.split(' ').next().expect("a name"));
            }
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}
