//! Ways in: Ingress and the Gateway API.

use expect_test::expect;

use super::*;

#[test]
fn an_ingress_that_the_api_server_would_reject_is_not_in_force() {
    check(
        "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
spec:
  rules:
  - host: 192.0.2.1
    http:
      paths:
      - {path: cart, pathType: Prefix, backend: {service: {name: cart, port: {number: 80}}}}
      - {path: /, backend: {service: {name: web}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: nothing, namespace: shop}
spec: {}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: nginx}
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: old, namespace: shop}
",
        expect![[r#"
            error[invalid-value] a.yaml:6: Ingress shop/shop: `spec.rules[0].host`: `192.0.2.1` is an address, and a host is a name
              hint: remove the line: every host means the address, too
            error[invalid-value] a.yaml:9: Ingress shop/shop: `spec.rules[0].http.paths[0]`: path `cart` must start with `/`
            error[missing-field] a.yaml:10: Ingress shop/shop: `spec.rules[0].http.paths[1].backend`: the Service's port is missing
              hint: add `port: {number: 80}`
            error[missing-field] a.yaml:10: Ingress shop/shop: `spec.rules[0].http.paths[1]`: `pathType` is missing
              hint: use Exact, Prefix or ImplementationSpecific
            error[missing-field] a.yaml:15: Ingress shop/nothing: `spec`: neither `rules` nor `defaultBackend`
              hint: add a rule, or a backend for every request
            error[invalid-value] a.yaml:20: IngressClass nginx: `spec`: `controller` `nginx` names nobody
              hint: write it as `example.com/controller`
            error[unknown-version] a.yaml:22: Ingress shop/old: Ingress of `extensions/v1beta1` is not served by the API server
              hint: write `apiVersion: networking.k8s.io/v1`
        "#]],
    );
}

#[test]
fn the_gateway_api_is_read_by_its_crds_and_their_rules() {
    check(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: edge}
spec:
  gatewayClassName: envoy
  listeners:
  - {name: http, port: 80, protocol: HTTP, tls: {mode: Passthrough}}
  - {name: again, port: 80, protocol: HTTP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: dns, namespace: edge}
spec: {gatewayClassName: envoy, listeners: [{name: Dns, port: 70000, protocol: UDP}]}
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: HTTPRoute
metadata: {name: older, namespace: shop}
spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: web, port: 80}]}], colour: red}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: wrong, namespace: shop}
spec:
  rules:
  - matches: [{path: {type: Prefix, value: /}}]
    backendRefs: [{name: web}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: redirect, namespace: shop}
spec:
  rules:
  - filters: [{type: RequestRedirect, requestRedirect: {statusCode: 301}}]
    backendRefs: [{name: web, port: 80}, {name: web}]
---
apiVersion: gateway.networking.k8s.io/v9
kind: Gateway
metadata: {name: newer, namespace: edge}
",
        expect![[r#"
            error[invalid-value] a.yaml:7: Gateway edge/edge: `spec.listeners[0]`: `tls` may not stand beside this protocol
            error[duplicate] a.yaml:8: Gateway edge/edge: `spec.listeners[1]`: two listeners have this port, protocol and hostname
              hint: give them different ports or hostnames
            error[invalid-value] a.yaml:13: Gateway edge/dns: `spec.listeners[0].name`: `Dns` does not match `^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
            error[invalid-value] a.yaml:13: Gateway edge/dns: `spec.listeners[0].port`: 70000 does not lie between 1 and 65535
            warning[unknown-field] a.yaml:18: HTTPRoute shop/older: `spec.colour`: unknown field: the API server drops it, `kubectl` refuses the object
            error[invalid-value] a.yaml:25: HTTPRoute shop/wrong: `spec.rules[0].matches[0].path.type`: unknown value `Prefix`
              hint: use Exact, PathPrefix, RegularExpression
            error[missing-field] a.yaml:34: HTTPRoute shop/redirect: `spec.rules[0].backendRefs[1]`: `port` is missing
              hint: add the port of the Service
            error[invalid-value] a.yaml:33: HTTPRoute shop/redirect: `spec.rules[0]`: a redirect may not stand beside `backendRefs`
              hint: a redirect answers by itself: make it two rules
            error[unknown-version] a.yaml:36: Gateway edge/newer: Gateway of `gateway.networking.k8s.io/v9` is not served by the API server
              hint: write `apiVersion: gateway.networking.k8s.io/v1`
            in force: HTTPRoute shop/older at a.yaml:15
        "#]],
    );
}
