//! What stands between: proxies, by the variables that every program reads.

use std::net::IpAddr;

use super::Trouble;

/// Proxies for plain HTTP and for TLS, and what is asked without one.
///
/// Source: Go's `golang.org/x/net/http/httpproxy`, which Docker and the other clients of registries use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// `HTTP_PROXY`.
    pub http: Option<String>,
    /// `HTTPS_PROXY`.
    pub https: Option<String>,
    /// `NO_PROXY`: `example.com`, `.example.com`, `10.0.0.0/8`, `host:port`, `*`, with commas between.
    pub except: String,
}

impl Proxies {
    /// The one for a host. This machine is asked without one.
    pub fn of(&self, is_tls: bool, host: &str, port: u16) -> Option<&str> {
        let proxy = if is_tls { self.https.as_deref() } else { self.http.as_deref() };
        let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        proxy.filter(|proxy| !proxy.is_empty() && !is_this_machine(&host) && !self.excepts(&host, port))
    }

    fn excepts(&self, host: &str, port: u16) -> bool {
        self.except.split(',').map(str::trim).filter(|rule| !rule.is_empty()).any(|rule| excepts(rule, host, port))
    }
}

/// Whether a host's name or address is that of this machine.
pub fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn excepts(rule: &str, host: &str, port: u16) -> bool {
    if rule == "*" {
        return true;
    }
    let rule = rule.to_ascii_lowercase();
    if let (Some((network, bits)), Ok(address)) = (rule.split_once('/'), host.parse::<IpAddr>()) {
        return is_within(network, bits, address);
    }
    let (name, its_port) = match rule.rsplit_once(':') {
        Some((name, its_port)) if !name.contains(':') || name.ends_with(']') => (name, its_port.parse().ok()),
        _ => (rule.as_str(), None),
    };
    if its_port.is_some_and(|its_port: u16| its_port != port) {
        return false;
    }
    let name = name.trim_matches(['[', ']']).trim_start_matches('*');
    match name.strip_prefix('.') {
        Some(_) => host.ends_with(name),
        None => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
    }
}

fn is_within(network: &str, bits: &str, address: IpAddr) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    bits <= width && (bits == 0 || (network ^ address) >> (width - bits) == 0)
}

/// A proxy as the client takes it. Its password does not stand in messages.
pub fn parse(url: &str) -> Result<ureq::Proxy, Trouble> {
    let shown = || Trouble::Proxy(url.rsplit_once('@').map_or(url, |(_, host)| host).to_owned());
    let is_spoken = !url.contains("://") || url.starts_with("http://") || url.starts_with("https://");
    if !is_spoken {
        return Err(shown());
    }
    ureq::Proxy::new(url).map_err(|_| shown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_by_scheme_and_not_for_what_is_excepted() {
        let proxies = Proxies {
            http: Some("http://plain:3128".into()),
            https: Some("http://tls:3128".into()),
            except: "example.com, .inner.org,10.0.0.0/8,ported.net:5000,*.star.io,fd00::/8".into(),
        };
        assert_eq!(proxies.of(true, "ghcr.io", 443), Some("http://tls:3128"));
        assert_eq!(proxies.of(false, "ghcr.io", 80), Some("http://plain:3128"));
        assert_eq!(proxies.of(true, "ported.net", 443), Some("http://tls:3128"));
        assert_eq!(proxies.of(true, "notexample.com", 443), Some("http://tls:3128"));
        assert_eq!(proxies.of(true, "inner.org", 443), Some("http://tls:3128"));
        assert_eq!(proxies.of(true, "11.1.2.3", 443), Some("http://tls:3128"));
        for host in [
            "example.com",
            "a.EXAMPLE.com",
            "a.inner.org",
            "10.1.2.3",
            "a.star.io",
            "[fd00::1]",
            "localhost",
            "127.0.0.1",
            "[::1]",
        ] {
            assert_eq!(proxies.of(true, host, 443), None, "{host}");
        }
        assert_eq!(proxies.of(true, "ported.net", 5000), None);
        let none = Proxies { except: "*".into(), ..proxies };
        assert_eq!(none.of(true, "ghcr.io", 443), None);
    }

    #[test]
    fn a_proxy_that_is_not_spoken_with_is_told_without_its_password() {
        assert_eq!(
            parse("socks5://me:secret@proxy:1080").expect_err("not spoken").to_string(),
            "`proxy:1080` is no proxy that is spoken with: `http://HOST:PORT` or `https://HOST:PORT`"
        );
        assert!(parse("proxy:3128").is_ok());
    }
}
