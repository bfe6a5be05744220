(function () {
  "use strict";
  var age = document.getElementById("age"), written = Date.parse(age.dataset.written), until = Date.parse(age.dataset.until);
  function show() {
    var now = Date.now(), minutes = Math.max(0, Math.floor((now - written) / 60000)), stale = now > until;
    var words = stale ? age.dataset.stale : age.dataset.minutes.replace("{n}", minutes);
    if (age.textContent !== words) { age.textContent = words; }
    document.body.className = stale ? "stale" : "";
  }
  show();
  setInterval(show, 5000);
})();
