#[action("included")]
async fn included() {}
