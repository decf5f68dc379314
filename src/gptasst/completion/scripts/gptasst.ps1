# gptasst completion for PowerShell
Register-ArgumentCompleter -Native -CommandName gptasst -ScriptBlock {
    param($current, $ast, $cursor)
    $elements = @($ast.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursor })
    $words = @($elements | Select-Object -Skip 1 | ForEach-Object {
            if ($null -ne $_.Value) { [string]$_.Value } else { $_.Extent.Text }
        })
    if ($current -ne '' -and $words.Count -gt 0) {
        $typed = $words[-1]
        $words = @($words | Select-Object -SkipLast 1)
    } else {
        $typed = ''
    }
    # The word at the cursor goes with a sign before it: older versions drop an empty argument.
    $lines = @(& $elements[0].Extent.Text __complete powershell @words "=$typed" 2>$null)
    if ($lines.Count -eq 0) { return }
    foreach ($line in ($lines | Select-Object -Skip 1)) {
        $name, $help = $line -split "`t", 2
        $text = if ($name -match '^[\w./:=+-]+$') { $name } else { "'" + $name.Replace("'", "''") + "'" }
        if (-not $help) { $help = $name }
        [System.Management.Automation.CompletionResult]::new($text, $name, 'ParameterValue', $help)
    }
    if ($lines[0] -eq 'files') {
        [System.Management.Automation.CompletionCompleters]::CompleteFilename($typed)
    }
}
