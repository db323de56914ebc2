//! Small worlds, questions and the answers in words. Each test is named by the corner of the
//! design that it shows: `corner_5_...` is number 5 of "NetworkPolicy v1, the corners that engines
//! get wrong".
//!
//! A world is text, a line each:
//! ```text
//! ns shop team=a                                      a Namespace with labels
//! node n1 172.31.0.11 zone=a                          a Node with labels
//! pod shop/web app=web ip=10.0.0.1 node=n1 ports=http:80,53/UDP containers=web+sidecar
//! svc shop/db app=db ip=10.96.0.5 ports=80->8080      a Service
//! netpol shop/db {podSelector: {}, ...}               a NetworkPolicy and its spec
//! perimeter shop/p {...}   access shop/a {...}   clusterperimeter p {...}   clusteraccess a {...}
//! cnp p {...}   anp p {...}   banp default {...}          the policies of administrators
//! raw <one YAML document>
//! at 2030-01-01T00:00:00Z                             the instant of the questions below
//! ? shop/web:nginx:/bin/x -> shop/db:5432/TCP         a question; also ADDRESS and node/NAME
//! ```

mod corners;
mod faults;
mod plugins;
mod tiers;
mod world;
