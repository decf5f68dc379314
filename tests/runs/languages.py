"""Short texts in languages whose words are not all in OpenAI's encoding, with their tokens.

Written for these tests. `COUNTED` are the tokens of `o200k_base`, counted on 2026-11-30 by tiktoken
0.14.0 with the table that the wheel of `bpe-openai` brings.
"""

# ruff: noqa: RUF001, E501

TEXTS = {
    "German": "Das Backup läuft jede Nacht um drei Uhr und dauert ungefähr eine halbe Stunde. Wenn die Festplatte voll ist, löscht das Programm die ältesten Sicherungen und schreibt eine Warnung in das Protokoll. Prüfen Sie einmal im Monat, ob sich die Daten wirklich wiederherstellen lassen, denn eine Sicherung, die nie getestet wurde, ist keine. Die Einstellungen stehen in einer Datei, die nur der Verwalter des Rechners ändern darf.",
    "Italian": "Il backup viene eseguito ogni notte alle tre e dura circa mezz'ora. Quando il disco è pieno, il programma cancella le copie più vecchie e scrive un avviso nel registro. Controllate una volta al mese che i dati si possano davvero ripristinare, perché una copia che nessuno ha mai provato non serve a niente. Le impostazioni si trovano in un file che può essere modificato soltanto dall'amministratore del computer.",
    "Swedish": "Säkerhetskopian körs varje natt klockan tre och tar ungefär en halvtimme. När disken är full tar programmet bort de äldsta kopiorna och skriver en varning i loggen. Kontrollera en gång i månaden att det går att återställa filerna, för en kopia som ingen har provat är inte mycket värd. Inställningarna finns i en fil som bara den som sköter datorn får ändra.",
    "Ukrainian": "Резервна копія створюється щоночі о третій годині й триває приблизно пів години. Коли диск заповнений, програма видаляє найстаріші копії та записує попередження до журналу. Раз на місяць перевіряйте, чи справді можна відновити дані, бо копія, яку ніхто ніколи не перевіряв, нічого не варта. Налаштування зберігаються у файлі, який може змінювати лише адміністратор комп'ютера.",
    "Russian": "Резервная копия создаётся каждую ночь в три часа и занимает примерно полчаса. Когда диск заполнен, программа удаляет самые старые копии и записывает предупреждение в журнал. Раз в месяц проверяйте, действительно ли можно восстановить данные, потому что копия, которую никто никогда не проверял, ничего не стоит. Настройки хранятся в файле, который может изменять только администратор компьютера.",
    "Hindi": "बैकअप हर रात तीन बजे चलता है और इसमें लगभग आधा घंटा लगता है। जब डिस्क भर जाती है, तो प्रोग्राम सबसे पुरानी प्रतियों को हटा देता है और लॉग में एक चेतावनी लिखता है। महीने में एक बार जाँच करें कि फ़ाइलें सच में वापस लाई जा सकती हैं, क्योंकि जिस प्रति को किसी ने कभी नहीं परखा, उसका कोई भरोसा नहीं है। सेटिंग एक फ़ाइल में रहती हैं, जिसे केवल कंप्यूटर का प्रबंधक बदल सकता है।",
    "traditional Chinese": "備份每天凌晨三點執行，大約需要半個小時。當硬碟空間不足時，程式會刪除最舊的備份，並在記錄檔中寫下警告。請每個月檢查一次資料是否真的可以還原，因為從來沒有人測試過的備份是靠不住的。設定儲存在一個檔案裡，只有電腦的管理員才能修改。昨天下午，我和朋友一起去了城市西邊的一座小山，天氣很好，風裡帶著一點桂花的香味。",
}  # fmt: skip

COUNTED = {
    "German": 92,
    "Italian": 98,
    "Swedish": 101,
    "Ukrainian": 126,
    "Russian": 93,
    "Hindi": 110,
    "traditional Chinese": 140,
}
