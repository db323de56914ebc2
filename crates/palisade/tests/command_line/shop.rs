//! `examples/shop` under its own policies: every call of the application is allowed, and the ones that an
//! intruder would like to make are not.

use crate::session::run;

/// What `palisade check` answers to `question`: `allowed`, `denied` or `undecided`.
fn check(question: &str) -> &'static str {
    match run(&format!("check -f examples/shop {question}"), "").2 {
        0 => "allowed",
        1 => "denied",
        3 => "undecided",
        other => panic!("`{question}` ended with {other}"),
    }
}

#[track_caller]
fn all(word: &str, questions: &[&str]) {
    let others: Vec<_> = questions.iter().filter(|question| check(question) != word).collect();
    assert!(others.is_empty(), "not {word}: {others:#?}");
}

#[test]
fn every_call_of_the_application_is_allowed() {
    all(
        "allowed",
        &[
            "world edge/gateway http",
            "edge/gateway:envoy:/usr/local/bin/envoy shop/svc/web 80",
            "shop/web:nginx:/usr/sbin/nginx shop/svc/orders 8080",
            "shop/web:nginx:/usr/sbin/nginx shop/svc/catalogue 8080",
            "shop/web:nginx:/usr/sbin/nginx shop/svc/search 8080",
            "shop/web:log-shipper:/fluent-bit/bin/fluent-bit data/svc/logs 24224",
            "shop/orders:orders:/app/orders data/svc/db 5432",
            "shop/orders:orders:/app/orders shop/svc/payments 8443",
            "shop/payments:payments:/app/payments 203.0.113.10 443",
            "shop/catalogue:catalogue:/app/catalogue data/svc/db 5432",
            "shop/catalogue:catalogue:/app/catalogue data/svc/cache 6379",
            "shop/search:search:/app/search shop/svc/catalogue 8080",
            "shop/search:search:/app/search data/svc/cache 6379",
            "shop/stock-report:report:/app/report data/svc/db 5432",
        ],
    );
}

#[test]
fn what_an_intruder_would_like_is_denied() {
    all(
        "denied",
        &[
            // Another program of the container, and the sidecar of the pod.
            "shop/web:nginx:/usr/bin/curl shop/svc/orders 8080",
            "shop/web:log-shipper shop/svc/orders 8080",
            "shop/web:nginx:/usr/sbin/nginx data/svc/db 5432",
            // Another namespace, and another workload of the same one.
            "edge/gateway data/svc/db 5432",
            "shop/search data/svc/db 5432",
            "data/cache data/db 5432",
            // The way out.
            "shop/payments:payments:/app/payments 203.0.113.66 443",
            "shop/payments:payments:/bin/sh 203.0.113.10 443",
            "shop/orders 169.254.169.254 80",
            // The outside.
            "world shop/orders 8080",
            "world edge/gateway admin",
        ],
    );
}

#[test]
fn a_rule_ends_when_it_expires() {
    all("denied", &["--at 2036-01-01T00:00:00Z shop/stock-report data/svc/db 5432"]);
    all("allowed", &["--at 2035-12-30T00:00:00Z shop/stock-report data/svc/db 5432"]);
}
