//! Who serves an Ingress or a Gateway: the pods behind its class, as far as the input says.

use palisade_model::ingress::Ingress;
use palisade_model::object::Name;

use super::{ServedBy, ToldBy};
use crate::model::{Model, PodFacts};

/// On the pods that an implementation starts for one Gateway.
///
/// Source: GEP-1762, in-cluster Gateway deployments.
const GATEWAY_NAME_LABEL: &str = "gateway.networking.k8s.io/gateway-name";

/// Controllers, and the labels that the pods which they send requests by have in the controllers' own manifests or Helm
/// charts.
///
/// Sources: kubernetes/ingress-nginx `deploy/static`, and the charts of traefik/traefik, nginx/kubernetes-ingress,
/// jcmoraisjr/haproxy-ingress, kong/ingress and istio/gateway.
const KNOWN: [(&str, &[(&str, &str)]); 8] = [
    (
        "k8s.io/ingress-nginx",
        &[("app.kubernetes.io/name", "ingress-nginx"), ("app.kubernetes.io/component", "controller")],
    ),
    ("traefik.io/ingress-controller", &[("app.kubernetes.io/name", "traefik")]),
    ("traefik.io/gateway-controller", &[("app.kubernetes.io/name", "traefik")]),
    ("nginx.org/ingress-controller", &[("app.kubernetes.io/name", "nginx-ingress")]),
    ("haproxy-ingress.github.io/controller", &[("app.kubernetes.io/name", "haproxy-ingress")]),
    ("ingress-controllers.konghq.com/kong", &[("app.kubernetes.io/name", "kong")]),
    ("konghq.com/gateway-controller", &[("app.kubernetes.io/name", "kong")]),
    ("istio.io/ingress-controller", &[("istio", "ingressgateway")]),
];

/// Controllers whose load balancers are the provider's: requests come from no pod.
///
/// Sources: the documentation of each: AWS Load Balancer Controller, GKE, AKS Application Gateway.
const PROVIDERS: [&str; 6] = [
    "ingress.k8s.aws/alb",
    "gateway.k8s.aws/alb",
    "k8s.io/ingress-gce",
    "networking.gke.io/gateway",
    "azure/application-gateway",
    "alb.networking.azure.io/alb-controller",
];

impl Model {
    /// Who serves `ingress`.
    pub(crate) fn serves_ingress(&self, ingress: &Ingress) -> ServedBy {
        let classes = &self.inventory.ingress_classes;
        let class = match &ingress.class {
            Some(name) => classes.iter().find(|class| class.meta.name() == &**name),
            None => classes.iter().find(|class| class.is_default),
        };
        self.serves_class(class.map(|class| &class.controller))
    }

    /// Who serves the Gateway `namespace/name` of the class `class`.
    pub(crate) fn serves_gateway(&self, namespace: &str, name: &str, class: &str) -> ServedBy {
        let is_its_own =
            |pod: &&PodFacts| *pod.namespace == *namespace && pod.labels.value(GATEWAY_NAME_LABEL) == Some(name);
        let own: Vec<_> = self.senders().filter(is_its_own).map(|pod| pod.index).collect();
        if !own.is_empty() {
            return ServedBy::Pods { pods: own, told_by: ToldBy::GatewayName };
        }
        let class = self.inventory.gateway_classes.iter().find(|candidate| candidate.meta.name() == class);
        self.serves_class(class.map(|class| &class.controller))
    }

    fn serves_class(&self, controller: Option<&Name>) -> ServedBy {
        if let Some(controller) = controller {
            if PROVIDERS.contains(&&**controller) {
                return ServedBy::Provider { controller: controller.clone() };
            }
            let labels = KNOWN.iter().find(|(known, _)| *known == &**controller).map_or(&[][..], |(_, labels)| *labels);
            let has_all = |pod: &&PodFacts| labels.iter().all(|(key, value)| pod.labels.value(key) == Some(value));
            let pods: Vec<_> = self.senders().filter(has_all).map(|pod| pod.index).collect();
            if !labels.is_empty() && !pods.is_empty() {
                return ServedBy::Pods { pods, told_by: ToldBy::Controller(controller.clone()) };
            }
        }
        let is_named = |pod: &&PodFacts| {
            let mut gateways = self.settings.gateways.iter();
            gateways.any(|(namespace, selector)| *namespace == pod.namespace && selector.matches(&pod.labels))
        };
        let pods: Vec<_> = self.senders().filter(is_named).map(|pod| pod.index).collect();
        if pods.is_empty() { ServedBy::Unknown } else { ServedBy::Pods { pods, told_by: ToldBy::Settings } }
    }

    /// Pods that have not finished.
    fn senders(&self) -> impl Iterator<Item = &PodFacts> {
        self.pods().iter().filter(|pod| pod.decides())
    }
}
