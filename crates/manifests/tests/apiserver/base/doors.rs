//! Ingresses, their classes, and the objects of the Gateway API.

use serde_json::{Value as Json, json};

/// Ingresses and their classes.
pub fn ingresses() -> Vec<Json> {
    vec![
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "shop"},
            "spec": {"ingressClassName": "nginx",
                "defaultBackend": {"service": {"name": "web", "port": {"name": "http"}}},
                "tls": [{"hosts": ["shop.example.com", "*.example.com"], "secretName": "shop-tls"}],
                "rules": [{"host": "shop.example.com", "http": {"paths": [
                        {"path": "/cart", "pathType": "Prefix", "backend": {"service": {"name": "cart", "port": {"number": 80}}}},
                        {"path": "/old", "pathType": "Exact",
                            "backend": {"resource": {"apiGroup": "example.com", "kind": "Bucket", "name": "static"}}},
                        {"pathType": "ImplementationSpecific", "backend": {"service": {"name": "web", "port": {"number": 8080}}}}]}},
                    {"host": "*.example.com"}]}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "older", "annotations": {"kubernetes.io/ingress.class": "nginx"}},
            "spec": {"defaultBackend": {"resource": {"kind": "Bucket", "name": "static"}}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
            "metadata": {"name": "nginx", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
            "spec": {"controller": "k8s.io/ingress-nginx",
                "parameters": {"apiGroup": "example.com", "kind": "Parameters", "name": "p", "scope": "Namespace", "namespace": "default"}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "plain"},
            "spec": {"controller": "example.com/a/b", "parameters": {"kind": "Parameters", "name": "p"}}}),
    ]
}

/// Objects of the Gateway API but for routes.
pub fn gateways() -> Vec<Json> {
    vec![
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "envoy"},
            "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller", "description": "any text",
                "parametersRef": {"group": "example.com", "kind": "Parameters", "name": "p", "namespace": "n"}}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "edge"},
            "spec": {"gatewayClassName": "envoy",
                "addresses": [{"type": "IPAddress", "value": "192.0.2.1"}, {"type": "Hostname", "value": "edge.example.com"}, {"value": "2001:db8::1"}],
                "infrastructure": {"labels": {"example.com/team": "edge"}, "annotations": {"note": "any text"}},
                "listeners": [
                    {"name": "http", "port": 80, "protocol": "HTTP",
                        "allowedRoutes": {"namespaces": {"from": "All"}, "kinds": [{"kind": "HTTPRoute"}, {"group": "example.com", "kind": "Other"}]}},
                    {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "*.example.com",
                        "tls": {"mode": "Terminate", "certificateRefs": [{"name": "cert"}]},
                        "allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "shop"},
                            "matchExpressions": [{"key": "env", "operator": "In", "values": ["prod"]}]}}}},
                    {"name": "tls", "port": 8443, "protocol": "TLS", "tls": {"mode": "Passthrough"}},
                    {"name": "dns", "port": 53, "protocol": "UDP", "allowedRoutes": {"namespaces": {"from": "Same"}}},
                    {"name": "db", "port": 5432, "protocol": "TCP"}]}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant", "metadata": {"name": "shop"},
            "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "edge"}],
                "to": [{"group": "", "kind": "Service", "name": "web"}, {"group": "", "kind": "Secret"}]}}),
    ]
}

/// Routes of every kind.
pub fn routes() -> Vec<Json> {
    vec![
        http_route(),
        json!({"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "HTTPRoute", "metadata": {"name": "default"},
            "spec": {"parentRefs": [{"name": "edge", "port": 80}], "rules": [{"backendRefs": [{"name": "web", "port": 80}]}]}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GRPCRoute", "metadata": {"name": "calls"},
            "spec": {"parentRefs": [{"name": "edge"}], "hostnames": ["grpc.example.com"],
                "rules": [{"matches": [{"method": {"service": "shop.Cart", "method": "Add"}, "headers": [{"name": "X-A", "value": "b"}]},
                        {"method": {"type": "RegularExpression", "service": "shop..*"}}],
                    "filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "copy", "port": 80}}}],
                    "backendRefs": [{"name": "cart", "port": 9000, "weight": 9}]}]}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "TLSRoute", "metadata": {"name": "through"},
            "spec": {"parentRefs": [{"name": "edge", "sectionName": "tls"}], "hostnames": ["db.example.com", "*.db.example.com"],
                "rules": [{"backendRefs": [{"name": "db", "port": 5432}]}]}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1alpha2", "kind": "TCPRoute", "metadata": {"name": "db"},
            "spec": {"parentRefs": [{"name": "edge"}], "rules": [{"name": "all", "backendRefs": [{"name": "db", "port": 5432, "weight": 0}]}]}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1alpha2", "kind": "UDPRoute", "metadata": {"name": "dns"},
            "spec": {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [{"group": "example.com", "kind": "Pool", "name": "dns"}]}]}}),
    ]
}

fn http_route() -> Json {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "shop", "labels": {"team": "shop"}},
        "spec": {
            "parentRefs": [{"name": "edge", "namespace": "edge", "sectionName": "https"},
                {"name": "edge", "namespace": "edge", "sectionName": "http"},
                {"group": "", "kind": "Service", "name": "web"}],
            "hostnames": ["shop.example.com", "*.shop.example.com"],
            "rules": [
                {"name": "cart", "matches": [{"path": {"type": "PathPrefix", "value": "/cart"}, "method": "GET",
                        "headers": [{"name": "X-A", "value": "b"}], "queryParams": [{"name": "q", "value": "1", "type": "Exact"}]}],
                    "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "X-B", "value": "c"}], "remove": ["X-C"]}},
                        {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}},
                        {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "copy", "port": 80}, "percent": 10}}],
                    "timeouts": {"request": "1m30s", "backendRequest": "500ms"},
                    "backendRefs": [{"name": "cart", "port": 80, "weight": 9}, {"name": "canary", "namespace": "canary", "port": 80, "weight": 1}]},
                {"matches": [{"path": {"type": "Exact", "value": "/old%20one"}}, {"path": {"type": "RegularExpression", "value": "/a.*"}}],
                    "filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301, "hostname": "a.example"}}]},
                {"filters": [{"type": "CORS", "cors": {"allowOrigins": ["https://a.example"], "allowMethods": ["GET"]}}],
                    "backendRefs": [{"group": "example.com", "kind": "Bucket", "name": "static"},
                        {"name": "web", "port": 8080, "filters": [{"type": "ExtensionRef",
                            "extensionRef": {"group": "example.com", "kind": "Filter", "name": "f"}}]}]}]}})
}
