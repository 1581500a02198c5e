//! What the pages' headers promise, and that the pages need no more than that.

use crate::harness::Server;

#[tokio::test]
async fn nothing_inline_nothing_from_elsewhere_in_nobodys_frame() {
    let server = Server::start().await;
    for path in ["/challenge", "/authenticator", "/q/x", "/docs"] {
        let page = reqwest::get(format!("{}{path}", server.base)).await.expect("an answer");
        assert_eq!(page.status(), 200, "{path}");
        let header = |name: &str| page.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let policy = header("content-security-policy").to_owned();
        let directives: Vec<&str> = policy.split(';').map(str::trim).collect();
        for wanted in
            ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
        {
            assert!(directives.contains(&wanted), "{path}: no {wanted} in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        let html = page.text().await.expect("a page");
        for tag in html.split('<').filter(|tag| tag.starts_with("script")) {
            assert!(tag.contains("src=\"/"), "{path}: <{tag}");
        }
        for inline in ["<style", " style=", " onclick=", " onload=", " onerror=", " onsubmit=", "javascript:"] {
            assert!(!html.contains(inline), "{path}: {inline}");
        }
    }
}
