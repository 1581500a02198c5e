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

#[tokio::test]
async fn an_operator_may_give_the_pages_colours_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("theme.css");
    std::fs::write(&file, ":root { --accent: #7a1fa2 }").expect("a style sheet");
    let themed = Server::start_with(|config| config.server.theme_file = Some(file.clone())).await;
    let plain = Server::start().await;
    for (server, wanted) in [(&themed, ":root { --accent: #7a1fa2 }"), (&plain, "")] {
        let css = reqwest::get(format!("{}/assets/theme.css", server.base)).await.expect("an answer");
        assert_eq!(
            (css.status().as_u16(), &css.headers()["content-type"]),
            (200, &"text/css; charset=utf-8".parse().expect("a value"))
        );
        assert_eq!(css.text().await.expect("text"), wanted);
    }
    // The pages read it last.
    for path in ["/challenge", "/authenticator"] {
        let html =
            reqwest::get(format!("{}{path}", themed.base)).await.expect("an answer").text().await.expect("a page");
        let place = |name: &str| html.find(&format!("href=\"/assets/{name}\"")).expect("a link");
        assert!(place("stepup.css") < place("theme.css"), "{path}");
    }
}

#[tokio::test]
async fn a_code_that_enrols_a_phone_is_drawn_for_a_good_token_alone() {
    let server = Server::start().await;
    let token = server.enrolment_token("ann").await;
    let draw = async |token: &str| {
        let asked = reqwest::Client::new().post(format!("{}/qr/enrolment", server.base));
        let body = serde_json::json!({"token": token}).to_string();
        asked.header("content-type", "application/json").body(body).send().await.expect("an answer")
    };
    let drawn = draw(&token).await;
    assert_eq!(
        (drawn.status().as_u16(), &drawn.headers()["content-type"]),
        (200, &"image/svg+xml".parse().expect("a value"))
    );
    assert_eq!(drawn.headers()["cache-control"], "no-store");
    for bad in ["x", &token.replacen('.', ".A", 1)] {
        assert_eq!(draw(bad).await.status(), 401, "{bad}");
    }
    server.clock.advance(std::time::Duration::from_secs(605));
    assert_eq!(draw(&token).await.status(), 401);
}

#[tokio::test]
async fn a_code_is_drawn_of_what_is_one_alone() {
    let server = Server::start().await;
    let status = async |name: &str| {
        reqwest::get(format!("{}/qr/{name}.svg", server.base)).await.expect("an answer").status().as_u16()
    };
    assert_eq!(status("3a991a14-690c-492b-a5e5-02b9056a4b7d").await, 200);
    assert_eq!(status(&"A".repeat(130)).await, 200);
    for name in ["x", "3A991A14-690C-492B-A5E5-02B9056A4B7D", &"A".repeat(129), &"%20".repeat(130), "..%2F..%2Fx"] {
        assert_eq!(status(name).await, 404, "{name}");
    }
}
