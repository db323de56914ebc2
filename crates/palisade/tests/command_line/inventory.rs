//! `palisade inventory`.

use expect_test::expect;

use crate::said;
use crate::session::shows;

#[test]
fn inventory_shows_what_was_understood() {
    shows(
        "inventory -f examples/shop",
        expect![[r#"
        NAMESPACE  KIND         NAME          PODS  CONTAINERS          PORTS                  PLACE
        data       Deployment   cache         1     valkey              redis 6379             examples/shop/app.yaml:345
        data       Deployment   logs          1     collector           forward 24224          examples/shop/app.yaml:381
        data       StatefulSet  db            1     postgres            pg 5432                examples/shop/app.yaml:306
        edge       Deployment   gateway       1     envoy               http 8080, admin 9901  examples/shop/app.yaml:28
        shop       CronJob      stock-report  1     report                                     examples/shop/app.yaml:282
        shop       Deployment   catalogue     1     catalogue           http 8080              examples/shop/app.yaml:204
        shop       Deployment   orders        2     orders              http 8080              examples/shop/app.yaml:120
        shop       Deployment   payments      1     payments            api 8443               examples/shop/app.yaml:165
        shop       Deployment   search        1     search              http 8080              examples/shop/app.yaml:243
        shop       Deployment   web           2     nginx, log-shipper  http 8080              examples/shop/app.yaml:69

        NAMESPACE  SERVICE    TYPE       PORTS                  SELECTS        PLACE
        data       cache      ClusterIP  6379->redis            app=cache      examples/shop/app.yaml:371
        data       db         headless   5432->pg               app=db         examples/shop/app.yaml:334
        data       logs       ClusterIP  24224->forward         app=logs       examples/shop/app.yaml:407
        edge       gateway    NodePort   80->http (node 30080)  app=gateway    examples/shop/app.yaml:57
        shop       catalogue  ClusterIP  8080->http             app=catalogue  examples/shop/app.yaml:233
        shop       orders     ClusterIP  8080->http             app=orders     examples/shop/app.yaml:149
        shop       payments   ClusterIP  8443->api              app=payments   examples/shop/app.yaml:194
        shop       search     ClusterIP  8080->http             app=search     examples/shop/app.yaml:272
        shop       web        ClusterIP  80->http               app=web        examples/shop/app.yaml:110

        NAMESPACE  POLICY        NAME                  MODE     WHAT                                        PLACE
        data       AccessPolicy  consent               Enforce  3 Allow                                     examples/shop/policies.yaml:117
        data       Perimeter     default               Enforce  closes ingress, egress except dns, kubelet  examples/shop/policies.yaml:15
        edge       AccessPolicy  gateway               Enforce  2 Allow                                     examples/shop/policies.yaml:20
        edge       Perimeter     default               Enforce  closes ingress, egress except dns, kubelet  examples/shop/policies.yaml:5
        shop       AccessPolicy  never                 Enforce  1 Deny                                      examples/shop/policies.yaml:95
        shop       AccessPolicy  search-without-cache  Audit    1 Deny                                      examples/shop/policies.yaml:106
        shop       AccessPolicy  storefront            Enforce  10 Allow                                    examples/shop/policies.yaml:37
        shop       Perimeter     default               Enforce  closes ingress, egress except dns, kubelet  examples/shop/policies.yaml:10

        also 3 namespaces, 1 service account
    "#]],
    );
}

#[test]
fn inventory_reads_a_pipe_and_says_what_it_could_not_use() {
    let input = "\
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x}
spec: {containers: [{name: main, image: a, ports: [{containerPort: 53, protocol: UDP}]}]}
---
apiVersion: example.com/v1
kind: Gadget
metadata: {name: g}
---
apiVersion: palisade.dev/v1alpha1
kind: Perimeter
metadata: {name: p, namespace: x}
spec: {subject: {selector: {}}, directions: [Sideways]}
---
kind: [broken
";
    expect![[r#"
        NAMESPACE  KIND  NAME  PODS  CONTAINERS  PORTS   PLACE
        x          Pod   a     1     main        53/UDP  <stdin>:1

        not read: 1 Gadget (example.com/v1)
        may be a policy, but cannot be read: <stdin>:14
        2 problems
        problem: <stdin>:13: Perimeter x/p: `spec.directions[0]`: unknown direction `Sideways`
          hint: use Ingress or Egress
        problem: <stdin>:15: cannot read the document, column 7: a bracket that is not closed by `]`
          hint: close the bracket, or put the value in quotes
        [exit 3]
    "#]]
    .assert_eq(&said("inventory -f -", input));
    let json = said("inventory -f - -o json", input);
    let report: serde_json::Value =
        serde_json::from_str(json.trim_end_matches("[exit 3]\n")).expect("standard output is JSON");
    assert_eq!(report["version"], 1);
    assert_eq!(report["inventory"]["pods"][0]["meta"]["place"], "<stdin>:1");
    assert_eq!(report["problems"][0]["object"], "Perimeter x/p");
}

#[test]
fn input_that_cannot_be_used_at_all_ends_with_2() {
    shows(
        "inventory -f no/such/file.yaml",
        expect![[r#"
        error: cannot read `no/such/file.yaml`
          caused by: No such file or directory (os error 2)
        [exit 2]
    "#]],
    );
    expect![[r#"
        may be a policy, but cannot be read: <stdin>:1
        1 problem
        problem: <stdin>:1: cannot read the document, column 7: a bracket that is not closed by `]`
          hint: close the bracket, or put the value in quotes
        [exit 2]
    "#]]
    .assert_eq(&said("inventory -f -", "kind: [broken\n"));
}
