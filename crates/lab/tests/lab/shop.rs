//! A small application, which most cases run.

/// A web server that calls its orders, a database with two pods, and the outside.
pub const SHOP: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {kubernetes.io/hostname: node1}
      containers:
      - name: nginx
        image: nginx:1.27
        ports: [{containerPort: 80}]
        env: [{name: ORDERS_URL, value: "http://orders/"}]
      - name: shipper
        image: vendor/log-shipper
        env: [{name: BANK_ADDR, value: "203.0.113.20:443"}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: orders}}
  template:
    metadata: {labels: {app: orders}}
    spec:
      containers:
      - name: orders
        image: shop/orders
        ports: [{containerPort: 8080, name: http}, {containerPort: 5353, protocol: UDP}]
        readinessProbe: {httpGet: {port: http}, initialDelaySeconds: 300}
---
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop, annotations: {lab.palisade.dev/dual-stack: "true"}}
spec:
  type: NodePort
  selector: {app: orders}
  ports: [{name: http, port: 80, targetPort: http, nodePort: 30080}, {name: time, port: 53, targetPort: 5353, protocol: UDP}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: data}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - {name: postgres, image: "postgres:16", ports: [{containerPort: 5432, name: pg}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: data}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: pg, port: 5432, targetPort: pg}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody, namespace: shop}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: pay, namespace: shop}
spec: {type: ExternalName, externalName: api.pay.example, ports: [{port: 443}]}
---
apiVersion: v1
kind: Service
metadata: {name: bank, namespace: shop}
spec: {ports: [{port: 443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: bank-1, namespace: shop, labels: {kubernetes.io/service-name: bank}}
addressType: IPv4
endpoints: [{addresses: [203.0.113.20]}]
ports: [{port: 8443}]
"#;

pub const NGINX: &str = "/usr/sbin/nginx";
