"""Questions in many languages, and about code, to one knowledge that has all of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gptasst.assistants.local_rows import ASSISTANTS
from gptasst.knowledge.index import insert_passages, matches
from gptasst.knowledge.passages import passages_of
from gptasst.knowledge.question import Question
from gptasst.storage.database import Database

_TEXTS = {
    "zh/returns.txt": "退货政策:自收到商品之日起七天内可以无理由退货,运费由买家承担。",
    "zh/invoice.txt": "电子发票将在订单完成后二十四小时内发送到您的邮箱。",
    "zh/password.txt": "忘记密码时,请点击登录页面上的链接,重新设置新的密码。",
    "zh/shipping.txt": "订单通常在两个工作日内发货,快递需要三到五天送达。",
    "ja/returns.txt": "商品の返品は到着後八日以内に限り受け付けます。送料はお客様のご負担です。",
    "ja/password.txt": "パスワードを忘れた場合は、ログイン画面から再設定してください。",
    "ja/hours.txt": "営業時間は平日の午前九時から午後六時までです。土日祝日は休業します。",
    "ja/points.txt": "ポイントの有効期限は最後のお買い物から一年間です。",
    "ko/returns.txt": "상품을 받은 날부터 십사일 이내에 반품하실 수 있습니다.",
    "ko/password.txt": "비밀번호를 잊어버린 경우 로그인 화면에서 다시 설정할 수 있습니다.",
    "ko/delivery.txt": "주문하신 물건은 보통 이틀 안에 출고되며 제주도는 추가 요금이 있습니다.",
    "th/returns.txt": "ลูกค้าสามารถคืนสินค้าได้ภายในเจ็ดวันหลังจากได้รับสินค้า",
    "th/password.txt": "หากลืมรหัสผ่าน กรุณากดลิงก์ในหน้าเข้าสู่ระบบเพื่อตั้งรหัสใหม่",
    "th/shipping.txt": "การจัดส่งใช้เวลาสามถึงห้าวันทำการทั่วประเทศ",
    "ru/returns.txt": "Возврат товара возможен в течение четырнадцати дней после покупки.",
    "ru/password.txt": "Если вы забыли пароль, нажмите на ссылку на странице входа.",
    "ru/delivery.txt": "Доставка по Москве занимает один день, в другие города до недели.",
    "el/returns.txt": "Η επιστροφή των προϊόντων γίνεται μέσα σε δεκατέσσερις ημέρες.",
    "el/password.txt": "Αν ξεχάσατε τον κωδικό πρόσβασης, πατήστε τον σύνδεσμο στη σελίδα εισόδου.",
    "el/delivery.txt": "Η παράδοση στα νησιά διαρκεί πέντε εργάσιμες ημέρες.",
    "tr/returns.txt": "Ürünler teslim tarihinden itibaren on dört gün içinde iade edilebilir.",
    "tr/password.txt": "Şifrenizi unuttuysanız giriş sayfasındaki bağlantıya tıklayın.",
    "tr/hours.txt": "Mağazamız hafta içi saat dokuzdan akşam altıya kadar açıktır."
    " ISPARTA şubesi kapalı.",
    "ar/returns.txt": "يمكنكم إرجاع المنتجات خلال أربعة عشر يومًا من تاريخ الشراء.",
    "ar/password.txt": "إذا نسيت كلمة المرور فاضغط على الرابط في صفحة تسجيل الدخول.",
    "ar/delivery.txt": "يستغرق التوصيل داخل المدينة يومين وخارجها خمسة أيام.",
    "hi/returns.txt": "खरीदने के चौदह दिनों के भीतर सामान वापस किया जा सकता है।",
    "hi/password.txt": "यदि आप पासवर्ड भूल गए हैं तो लॉगिन पृष्ठ पर दिए गए लिंक को दबाएँ।",
    "hi/delivery.txt": "सामान की डिलीवरी में तीन से पाँच दिन लगते हैं।",
    "de/returns.txt": "Die Rückgabefrist beträgt vierzehn Tage ab dem Erhalt der Ware.",
    "de/password.txt": "Wenn Sie Ihr Kennwort vergessen haben, klicken Sie auf den Link auf der"
    " Anmeldeseite.",
    "de/insurance.txt": "Die Haftpflichtversicherungsbedingungen gelten für alle Fahrzeuge und auch"
    " für Anhänger.",
    "de/speed.txt": "Auf Autobahnen gilt eine Richtgeschwindigkeit, in Ortschaften ist die"
    " Höchstgeschwindigkeit fünfzig.",
    "fr/returns.txt": "Les articles peuvent être retournés dans un délai de quatorze jours après la"
    " réception.",
    "fr/password.txt": "Si vous avez oublié votre mot de passe, cliquez sur le lien de la page de"
    " connexion.",
    "fr/warranty.txt": "La garantie couvre les défauts de fabrication pendant deux années.",
    "es/returns.txt": "Las devoluciones se aceptan en los catorce días después de la compra.",
    "es/password.txt": "Si ha olvidado su contraseña, pulse el enlace de la página de inicio.",
    "es/warranty.txt": "La garantía cubre los daños de fabricación durante dos años.",
    "en/returns.txt": "Refunds are paid within ten days after we have received the goods.",
    "en/access.txt": "To reset your password, follow the link on the sign-in page.",
    "en/R.txt": "Statistics are computed in R, and the plots are drawn with ggplot.",
    "fi/password.txt": "Jos olet unohtanut salasanan, paina kirjautumissivulla olevaa linkkiä.",
    "fi/returns.txt": "Tuotteet voi palauttaa neljäntoista päivän kuluessa, ja se on ilmaista.",
    "hu/password.txt": "Ha elfelejtette a jelszavát, kattintson a bejelentkezési oldal linkjére.",
    "hu/returns.txt": "A termékeket a vásárlástól számított két héten belül lehet visszaküldeni.",
    "pl/password.txt": "Jeśli nie pamiętasz hasła, kliknij odnośnik na stronie logowania.",
    "pl/returns.txt": "Zwrot towaru jest możliwy w ciągu czternastu dni od zakupu.",
    "cs/password.txt": "Pokud jste zapomněli heslo, klikněte na odkaz na přihlašovací stránce.",
    "cs/returns.txt": "Zboží lze vrátit do čtrnácti dnů od nákupu, poštovné hradí zákazník.",
    "pt/password.txt": "Se esqueceu a palavra-passe, clique na ligação da página de entrada.",
    "pt/returns.txt": "As devoluções são aceites até catorze dias depois da compra.",
    "it/password.txt": "Se ha dimenticato la parola chiave, prema il collegamento nella pagina di"
    " accesso.",
    "it/returns.txt": "Gli articoli possono essere restituiti entro quattordici giorni.",
    "nl/password.txt": "Bent u uw wachtwoord vergeten, klik dan op de koppeling op de"
    " aanmeldpagina.",
    "nl/insurance.txt": "De zorgverzekering vergoedt de kosten van het ziekenhuis.",
    "sv/returns.txt": "Varorna kan lämnas tillbaka inom fjorton dagar efter köpet.",
    "uk/returns.txt": "Повернення товару можливе протягом чотирнадцяти днів після купівлі.",
    "vi/returns.txt": "Khách hàng có thể trả lại hàng trong vòng bảy ngày kể từ khi nhận.",
    "fa/returns.txt": "کالاها را می‌توان تا چهارده روز پس از خرید پس داد.",
    "code/limiter.py": "class RateLimiter:\n    def acquire_token(self, timeout_seconds): ...\n",
    "code/profile.js": "export function getUserProfile(userId) { return fetchJson(userId) }\n",
    "code/http.go": "func parseHTTPHeader(rawLine string) (Header, error) {\n}\n",
    "code/vector.md": "Containers of C++ keep their elements; `std::vector` grows as needed.\n",
    "code/linq.md": "Queries in C# are written with LINQ, and run when they are iterated.\n",
    "code/c.md": "Memory in C is freed by hand.\n",
    "code/config.toml": "max_retry_count = 5\nbackoff-factor = 1.5\nlog_level = 'debug'\n",
    "code/errors.md": "E1042: the disk is full. E1043: the disk can't be read.\n",
    "code/hash.py": "def sha256_of_file(path): return hashlib.sha256(path.read_bytes())\n",
    "code/release.md": "Version 3.9.1 fixes the crash; version 3.10.0 needs SQLite 3.35.\n",
}  # fmt: skip

_QUESTIONS = [
    ("怎么退货?", "zh/returns.txt"),
    ("我忘记了密码怎么办", "zh/password.txt"),
    ("什么时候能收到发票?", "zh/invoice.txt"),
    ("快递要几天?", "zh/shipping.txt"),
    ("返品できますか?", "ja/returns.txt"),
    ("パスワードを忘れました。どうすればいいですか?", "ja/password.txt"),
    ("お店の営業時間を教えてください", "ja/hours.txt"),
    ("ポイントはいつまで有効ですか", "ja/points.txt"),
    ("반품은 어떻게 하나요?", "ko/returns.txt"),
    ("비밀번호를 모르겠어요", "ko/password.txt"),
    ("제주도 배송 요금은 얼마인가요?", "ko/delivery.txt"),
    ("คืนสินค้าได้ไหม", "th/returns.txt"),
    ("ลืมรหัสผ่านทำอย่างไร", "th/password.txt"),
    ("จัดส่งกี่วัน", "th/shipping.txt"),
    ("Как оформить возврат?", "ru/returns.txt"),
    ("Я забыла пароль", "ru/password.txt"),
    ("Сколько времени идёт доставка в другой город?", "ru/delivery.txt"),
    ("Πώς επιστρέφω ένα προϊόν;", "el/returns.txt"),
    ("ΞΕΧΑΣΑ ΤΟΝ ΚΩΔΙΚΟ", "el/password.txt"),
    ("Πόσο διαρκεί η παράδοση σε νησί;", "el/delivery.txt"),
    ("Ürünü nasıl iade ederim?", "tr/returns.txt"),
    ("şifremi unuttum", "tr/password.txt"),
    ("ısparta şubesi", "tr/hours.txt"),
    ("mağaza kaçta açılıyor", "tr/hours.txt"),
    ("كيف أرجع المنتج؟", "ar/returns.txt"),
    ("نسيتُ كلمةَ المرور", "ar/password.txt"),
    ("كم يستغرق التوصيل؟", "ar/delivery.txt"),
    ("सामान वापस कैसे करें?", "hi/returns.txt"),
    ("मैं पासवर्ड भूल गया", "hi/password.txt"),
    ("डिलीवरी में कितने दिन लगते हैं?", "hi/delivery.txt"),
    ("Welche Frist gilt für die Rückgabe?", "de/returns.txt"),
    ("Passwort oder Kennwort vergessen", "de/password.txt"),
    ("Bedingungen der Versicherung", "de/insurance.txt"),
    ("Haftpflicht für Anhänger", "de/insurance.txt"),
    ("Wie hoch ist die Geschwindigkeit in einer Ortschaft?", "de/speed.txt"),
    ("Comment retourner un article ?", "fr/returns.txt"),
    ("J'ai oublié mon mot de passe", "fr/password.txt"),
    ("garanties contre les defauts", "fr/warranty.txt"),
    ("¿Cómo hago una devolución?", "es/returns.txt"),
    ("he olvidado la contrasena", "es/password.txt"),
    ("¿Qué daño cubre la garantía?", "es/warranty.txt"),
    ("How long does a refund take?", "en/returns.txt"),
    ("resetting passwords", "en/access.txt"),
    ("Can I use R for statistics?", "en/R.txt"),
    ("Unohditko salasanan?", "fi/password.txt"),
    ("Miten palautan tuotteen?", "fi/returns.txt"),
    ("elfelejtettem a jelszavam", "hu/password.txt"),
    ("Hogyan küldhetem vissza a terméket?", "hu/returns.txt"),
    ("Nie pamiętam hasła", "pl/password.txt"),
    ("Jak zwrócić towar?", "pl/returns.txt"),
    ("zapomněl jsem heslo", "cs/password.txt"),
    ("Jak vrátím zboží?", "cs/returns.txt"),
    ("esqueci a palavra-passe", "pt/password.txt"),
    ("Como faço uma devolução?", "pt/returns.txt"),
    ("ho dimenticato la parola chiave", "it/password.txt"),
    ("Come restituisco un articolo?", "it/returns.txt"),
    ("wachtwoord vergeten", "nl/password.txt"),
    ("Welke kosten vergoedt de verzekering in een ziekenhuis?", "nl/insurance.txt"),
    ("Kan jag lämna tillbaka en vara?", "sv/returns.txt"),
    ("Як повернути товар?", "uk/returns.txt"),
    ("trả lại hàng thế nào?", "vi/returns.txt"),
    ("کالا را چگونه پس بدهم؟", "fa/returns.txt"),
    ("rate limiter", "code/limiter.py"),
    ("acquireToken", "code/limiter.py"),
    ("timeout in seconds", "code/limiter.py"),
    ("get_user_profile", "code/profile.js"),
    ("where is the user's profile fetched?", "code/profile.js"),
    ("parse http header", "code/http.go"),
    ("parse_http_header", "code/http.go"),
    ("vector in C++", "code/vector.md"),
    ("How are queries written in C#?", "code/linq.md"),
    ("C memory", "code/c.md"),
    ("maxRetryCount", "code/config.toml"),
    ("maximum retries: retry count", "code/config.toml"),
    ("backoff_factor", "code/config.toml"),
    ("log level", "code/config.toml"),
    ("error E1043", "code/errors.md"),
    ("SHA-256 of a file", "code/hash.py"),
    ("what does 3.9.1 fix?", "code/release.md"),
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    store = Database(tmp_path_factory.mktemp("store") / "store.sqlite3", ASSISTANTS)
    with closing(store):
        with store.writing() as connection:
            connection.execute(
                "INSERT INTO assistants (id, name, revision, created_at, updated_at)"
                " VALUES ('a', 'a', 1, '', '')"
            )
            connection.executemany(
                "INSERT INTO knowledge (id, assistant_id, path, size, sha256, added_at)"
                " VALUES (?, 'a', ?, 1, '', '')",
                [(path, path) for path in _TEXTS],
            )
            files = [(p, p, passages_of(text.encode(), p)) for p, text in _TEXTS.items()]
            insert_passages(connection, "a", files)
        yield store


@pytest.mark.parametrize(("question", "path"), _QUESTIONS)
def test_the_right_file_comes_first(database: Database, question: str, path: str) -> None:
    with database.reading() as connection:
        found = matches(connection, "a", Question(question), 3)
        where = "SELECT id FROM knowledge WHERE ? BETWEEN first_passage AND last_passage"
        paths = [connection.execute(where, (match.passage_id,)).fetchone()[0] for match in found]
    assert paths[:1] == [path], Path(path).parent
